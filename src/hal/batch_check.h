// Checks a batch before a step touches anything: the engine's mistakes become errors that name row, sequence
// and value. For every backend that runs real graphs; not for what only one device cannot do.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "core/backend.h"

namespace pensieve::hal {

inline constexpr std::int64_t kKeepsNoState = -1;

// [state groups]: how many tokens back the segment's layers of a group see, the widest view of them: 0: all;
// kKeepsNoState: the segment has no layer in the group.
std::vector<std::int64_t> windows_of(const Segment& segment);

struct BatchRules {
  std::string_view backend;  // for messages
  const Graph& graph;
  const PlanOptions& options;
  bool reads_tokens;                      // the segment embeds
  std::span<const std::int64_t> windows;  // of windows_of
  // Whether anything was ever written to a page; empty where the device does not know.
  std::function<bool(std::uint32_t group, std::int32_t page)> written;
};

Result<> check_batch(const Batch& batch, const BatchRules& rules);

}  // namespace pensieve::hal
