// Checks a batch before a step touches anything: the engine's mistakes become errors that name row, sequence
// and value.
#pragma once

#include <cstdint>
#include <span>

#include "core/batch.h"
#include "core/graph.h"
#include "hal/reference/kv_pages.h"

namespace pensieve::hal::reference {

struct BatchRules {
  const Graph* graph = nullptr;
  const PlanOptions* options = nullptr;
  bool reads_tokens = false;              // the segment embeds
  std::span<const KvPages> pages;         // [state groups]
  std::span<const std::int64_t> windows;  // [state groups]: tokens seen back by the layers of a group; 0: all
};

Result<> check_batch(const Batch& batch, const BatchRules& rules);

}  // namespace pensieve::hal::reference
