// Models as Ollama's API shows them: in the list (/api/tags), loaded (/api/ps) and alone (/api/show).
#pragma once

#include <string>

#include "manage/services.h"

namespace pensieve::server {

void append_ollama_tag(const manage::ModelStatus& status, std::string& out);
void append_ollama_loaded(const manage::ModelStatus& status, std::string& out);
std::string ollama_show_text(const manage::ModelStatus& status);

}  // namespace pensieve::server
