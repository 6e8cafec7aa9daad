// Slots are handed out in node order and taken back after a value's last reader.
#include "hal/reference/activations.h"

#include <fmt/format.h>

#include <algorithm>

namespace pensieve::hal::reference {
namespace {

constexpr std::uint32_t kNeverFreed = UINT32_MAX;

// For each value, the last node that reads it; values that leave the segment stay to the end.
std::vector<std::uint32_t> last_readers(const Segment& segment) {
  std::vector<std::uint32_t> last(segment.graph->values.size(), 0);
  for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
    const Node& node = segment.graph->nodes[i];
    last[node.output] = i;  // a value that nobody reads lives for its own node
    for (const std::uint32_t input : node.inputs) last[input] = i;
  }
  for (const std::uint32_t value : segment.outputs) last[value] = kNeverFreed;
  last[segment.graph->logits] = kNeverFreed;
  return last;
}

}  // namespace

void Activations::assign(const Graph& graph, std::uint32_t value, std::vector<std::size_t>& free) {
  if (free.empty()) {
    free.push_back(widths_.size());
    widths_.emplace_back();
  }
  const std::size_t slot = free.back();
  free.pop_back();
  slot_of_[value] = static_cast<std::int32_t>(slot);
  const ValueSpec& spec = graph.values[value];
  std::size_t& widest = spec.rows == Rows::batch ? widths_[slot].batch : widths_[slot].output;
  widest = std::max(widest, static_cast<std::size_t>(spec.width));
}

Result<Activations> Activations::plan(const Segment& segment) {
  const Graph& graph = *segment.graph;
  Activations made;
  made.slot_of_.assign(graph.values.size(), -1);
  const std::vector<std::uint32_t> last = last_readers(segment);
  std::vector<std::size_t> free;
  for (const std::uint32_t value : segment.inputs) made.assign(graph, value, free);
  for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
    const Node& node = graph.nodes[i];
    for (const std::uint32_t input : node.inputs) {
      if (made.holds(input)) continue;
      return fail(Error::Code::invalid,
                  fmt::format("segment of nodes {} to {}: node {} ({}) reads value {}, which is not "
                              "among the segment's inputs",
                              segment.first_node, segment.end_node, i, op_name(node.op()), input));
    }
    made.assign(graph, node.output, free);
    std::vector<std::uint32_t> ending = node.inputs;
    ending.push_back(node.output);
    std::sort(ending.begin(), ending.end());
    ending.erase(std::unique(ending.begin(), ending.end()), ending.end());
    for (const std::uint32_t value : ending) {
      if (last[value] == i) free.push_back(static_cast<std::size_t>(made.slot_of_[value]));
    }
  }
  for (const std::uint32_t value : segment.outputs) {
    if (made.holds(value)) continue;
    return fail(Error::Code::invalid,
                fmt::format("segment of nodes {} to {} does not compute its output, value {}",
                            segment.first_node, segment.end_node, value));
  }
  made.slots_.resize(made.widths_.size());
  return made;
}

void Activations::resize(std::size_t batch_rows, std::size_t output_rows) {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    slots_[slot].resize(std::max(widths_[slot].batch * batch_rows, widths_[slot].output * output_rows));
  }
}

std::size_t Activations::bytes_held() const {
  std::size_t bytes = 0;
  for (const std::vector<float>& slot : slots_) bytes += slot.capacity() * sizeof(float);
  return bytes;
}

std::size_t Activations::bytes_for(std::size_t batch_rows, std::size_t output_rows) const {
  std::size_t bytes = 0;
  for (const Width& width : widths_) {
    bytes += std::max(width.batch * batch_rows, width.output * output_rows) * sizeof(float);
  }
  return bytes;
}

}  // namespace pensieve::hal::reference
