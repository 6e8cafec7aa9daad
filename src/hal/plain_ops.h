// plain_ops: which nodes go beyond what every device knew from the start (dense decoders with rotary
// positions), so that a device without the younger forms refuses a model by name before it computes nonsense.
// Not a list of what any one device can do: each asks here only for as long as it lacks them.
#pragma once

#include <string>

#include "core/backend.h"
#include "core/graph.h"

namespace pensieve::hal {

// Empty for a plain node; else what it asks for ("routed experts").
std::string beyond_plain(const Graph& graph, const Node& node);

// Refuses a segment with such a node, and weights that come in parts; `backend` is for the message.
Result<> check_plain(const Segment& segment, std::span<const Weight> weights, std::string_view backend);

}  // namespace pensieve::hal
