// A sink that writes what becomes of a generation to the log, with the id of its request, and hands every
// event on. Not for content: prompts and answers are never logged.
#pragma once

#include <memory>
#include <string>

#include "core/inference.h"
#include "util/log.h"

namespace pensieve::manage {

// Lines: generation_started (debug) and generation_finished (info) for each choice; generation_failed when it
// ends otherwise, at `error` for what is no fault of the request. `log` must outlive the sink.
std::unique_ptr<ReplySink> logged_sink(std::unique_ptr<ReplySink> sink, util::Log& log, std::string model,
                                       std::string request_id);

}  // namespace pensieve::manage
