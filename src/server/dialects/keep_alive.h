// "keep_alive": how long a model stays loaded after a use, as Ollama's clients say it, in every API that
// takes it. Not the unloading itself: manage/model_pool.h.
#pragma once

#include <chrono>
#include <optional>

#include "server/dialects/fields.h"

namespace pensieve::server {

// Seconds as a number, or text such as "5m", "1h30m", "-1". Negative: for ever; zero: not at all; nothing:
// not said.
Result<std::optional<std::chrono::seconds>> read_keep_alive(const Json& body);

}  // namespace pensieve::server
