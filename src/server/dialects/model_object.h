// A model as the list of models shows it: OpenAI's fields, and what clients need to size a prompt.
#pragma once

#include <string>

#include "manage/services.h"

namespace pensieve::server {

void append_model(const manage::ModelStatus& status, std::string& out);
std::string_view state_name(manage::ModelState state);
// Tokens of one request: as loaded, else as trained.
std::int64_t context_of(const ModelInfo& info);

}  // namespace pensieve::server
