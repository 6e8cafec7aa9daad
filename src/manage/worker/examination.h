// Examination: the heads of model files read by a short-lived process, so that a file which breaks the reader
// breaks nothing else. Not for loading (worker_inference.h).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "manage/worker/child_process.h"
#include "model/catalog.h"
#include "util/log.h"

namespace pensieve::manage {

// As model::examine_here, with one process for all files. A file on which the process dies, or takes longer
// than `patience`, is described as unreadable, and a new process goes on behind it. Fewer answers than paths
// when no process could be started. Thread rule: any thread, but the calling thread must outlive the call's
// processes: it waits for them.
std::vector<model::Examined> examine_apart(const Launch& launch, const std::vector<std::string>& paths,
                                           std::chrono::milliseconds patience, util::Log& log);

}  // namespace pensieve::manage
