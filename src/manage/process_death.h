// Which errors tell that a model's process ended when it should not have. Not what is done about it:
// worker/workers.h pauses, model_pool.h counts.
#pragma once

#include "core/result.h"

namespace pensieve::manage {

inline bool process_died(const Error& error) {
  return error.reason == "worker_crashed" || error.reason == "worker_stalled" ||
         error.reason == "worker_misbehaved" || error.reason == "load_timeout";
}

}  // namespace pensieve::manage
