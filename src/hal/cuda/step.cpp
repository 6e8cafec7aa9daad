// A step: what comes in is checked and packed into one copy, the launches are issued or replayed, the logits
// travel back.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "hal/batch_check.h"
#include "hal/cuda/buffer.h"
#include "hal/cuda/plan.h"

namespace pensieve::hal::cuda {
namespace {

constexpr std::size_t kMostCaptured = 128;  // graphs of step shapes kept at a time
constexpr int kTiledRows = 5;               // rows of a sequence from which tiles pay
constexpr int kSplitTokens = 64;            // no part of the visible positions is smaller

// Room for page numbers that stays the same while a context grows by a few pages.
std::size_t page_room(std::size_t pages) {
  return std::bit_ceil(std::max<std::size_t>(pages, 16));
}

// Nothing but the largest logit counts, and nobody asks for the others.
bool is_greedy(const Draw& draw) {
  if (draw.sampling == nullptr || draw.wants_logits || !draw.allowed.empty()) return false;
  const SamplingParams& p = *draw.sampling;
  return p.temperature == 0.0F && p.logit_bias.empty() && p.repeat_penalty == 1.0F &&
         p.frequency_penalty == 0.0F && p.presence_penalty == 0.0F;
}
bool may_draw(const Batch& batch) {
  return batch.draws.size() == batch.output_rows.size() &&
         std::all_of(batch.draws.begin(), batch.draws.end(), is_greedy);
}

template <class T>
void put(int* to, std::size_t at, std::span<const T> values) {
  if (!values.empty()) std::memcpy(to + at, values.data(), values.size() * sizeof(int));
}

}  // namespace

Result<> CudaPlan::check_buffers(std::span<Buffer* const> buffers, const std::vector<std::uint32_t>& values,
                                 const char* direction) const {
  if (buffers.size() != values.size())
    return fail(Error::Code::invalid,
                fmt::format("{} {} buffers for a segment with {}", buffers.size(), direction, values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t needed = static_cast<std::size_t>(row_count(values[i])) *
                               static_cast<std::size_t>(graph_.values[values[i]].width) * sizeof(float);
    const auto* buffer = dynamic_cast<const CudaBuffer*>(buffers[i]);
    if (buffer == nullptr || !buffer->on_device())
      return fail(Error::Code::invalid, fmt::format("{} buffer {} is not memory of the GPU", direction, i));
    if (buffer->size() < needed)
      return fail(Error::Code::invalid,
                  fmt::format("{} buffer {} has {} bytes of {}", direction, i, buffer->size(), needed));
  }
  return {};
}

CudaPlan::StepShape CudaPlan::shape_of(const Batch& batch) {
  StepShape shape;
  shape.rows = batch.rows();
  shape.sequences = batch.sequences();
  shape.outputs = static_cast<int>(batch.output_rows.size());
  for (std::uint32_t group = 0; group < graph_.state_groups; ++group) {
    const PageTable& table = batch.page_tables[group];
    shape.page_room.push_back(
        page_room(windows_[group] != kKeepsNoState ? static_cast<std::size_t>(table.starts.back()) : 0));
  }
  bool tiled = true;
  for (std::uint32_t i = segment_.first_node; i < segment_.end_node; ++i) {
    if (graph_.nodes[i].op() != Op::attention) continue;
    AttentionLaunch launch;
    launch.state = states_[static_cast<std::size_t>(graph_.nodes[i].state)].kv;
    tiled = tiled && tiled_attention_fits(launch);
  }
  row_list_.clear();
  tiles_.clear();
  int longest = 0;
  for (int s = 0; s < shape.sequences; ++s) {
    const std::int32_t begin = batch.sequence_starts[static_cast<std::size_t>(s)],
                       end = batch.sequence_starts[static_cast<std::size_t>(s) + 1];
    if (end > begin) longest = std::max(longest, batch.positions[static_cast<std::size_t>(end) - 1] + 1);
    for (std::int32_t row = begin; row < end; row += tiled && end - begin >= kTiledRows ? kTileRows : 1) {
      if (tiled && end - begin >= kTiledRows) {
        tiles_.push_back(s);
        tiles_.push_back(row);
      } else {
        row_list_.push_back(row);
      }
    }
  }
  shape.tiles = static_cast<int>(tiles_.size() / 2);
  shape.fresh = shape.rows == shape.sequences;
  for (int s = 0; s < shape.sequences && shape.fresh; ++s)
    shape.fresh = batch.sequence_starts[static_cast<std::size_t>(s)] == s;
  shape.listed = shape.tiles > 0 ? static_cast<int>(row_list_.size()) : 0;
  shape.splits = static_cast<int>(
      std::bit_ceil(static_cast<unsigned>(std::clamp(longest / kSplitTokens, 1, kMostSplits))));
  return shape;
}

CudaPlan::IndexLayout CudaPlan::index_layout(const StepShape& shape) {
  IndexLayout layout;
  const auto place = [&layout](std::size_t ints) {
    const std::size_t at = layout.total;
    layout.total += (ints + 3) / 4 * 4;
    return at;
  };
  const auto rows = static_cast<std::size_t>(shape.rows),
             starts = static_cast<std::size_t>(shape.sequences) + 1;
  layout.tokens = place(rows);
  layout.positions = place(rows);
  layout.row_sequence = place(rows);
  layout.sequence_starts = place(starts);
  layout.output_rows = place(static_cast<std::size_t>(shape.outputs));
  layout.row_list = place(static_cast<std::size_t>(shape.listed));
  layout.tiles = place(static_cast<std::size_t>(shape.tiles) * 2);
  for (const std::size_t room : shape.page_room) {
    layout.page_starts.push_back(place(starts));
    layout.pages.push_back(place(room));
  }
  return layout;
}

Result<> CudaPlan::send_index(const Batch& batch) {
  layout_ = index_layout(shape_);
  if (auto room = room_for_index(layout_.total); !room) return room;
  int* to = index_host_.as<int>();
  put(to, layout_.tokens, batch.tokens);
  put(to, layout_.positions, batch.positions);
  put(to, layout_.sequence_starts, batch.sequence_starts);
  put(to, layout_.output_rows, batch.output_rows);
  for (int s = 0; s < shape_.sequences; ++s) {
    const auto at = static_cast<std::size_t>(s);
    std::fill(to + layout_.row_sequence + batch.sequence_starts[at],
              to + layout_.row_sequence + batch.sequence_starts[at + 1], s);
  }
  if (shape_.listed > 0) put(to, layout_.row_list, std::span<const std::int32_t>(row_list_));
  put(to, layout_.tiles, std::span<const std::int32_t>(tiles_));
  for (std::uint32_t group = 0; group < graph_.state_groups; ++group) {
    if (windows_[group] == kKeepsNoState) continue;
    const PageTable& table = batch.page_tables[group];
    put(to, layout_.page_starts[group], table.starts);
    put(to, layout_.pages[group], table.pages.first(static_cast<std::size_t>(table.starts.back())));
  }
  return check(
      cudaMemcpyAsync(index_memory_.as(), to, layout_.total * sizeof(int), cudaMemcpyHostToDevice, stream_),
      "take the batch");
}

Result<> CudaPlan::submit(const Batch& batch, std::span<Buffer* const> inputs,
                          std::span<Buffer* const> outputs) {
  if (in_flight_)
    return fail(Error::Code::internal, "submit: the step before is still in flight; wait for it first");
  if (auto chosen = check(cudaSetDevice(device_), "be chosen"); !chosen) return chosen;
  if (auto checked = check_batch(batch, {"cuda", graph_, options_, reads_tokens_, windows_, {}}); !checked)
    return checked;
  shape_ = shape_of(batch);
  if (auto checked = check_buffers(inputs, segment_.inputs, "input"); !checked) return checked;
  if (auto checked = check_buffers(outputs, segment_.outputs, "output"); !checked) return checked;
  if (auto room = room_for_outputs(static_cast<std::size_t>(shape_.outputs)); !room) return room;
  outputs_.assign(outputs.begin(), outputs.end());
  if (shape_.rows == 0) {
    in_flight_ = true;
    return check(cudaEventRecord(done_, stream_), "run a step");
  }
  if (auto sent = send_index(batch); !sent) return sent;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::uint32_t value = segment_.inputs[i];
    const std::size_t bytes = static_cast<std::size_t>(row_count(value)) *
                              static_cast<std::size_t>(graph_.values[value].width) * sizeof(float);
    cudaMemcpyAsync(data(value), static_cast<CudaBuffer*>(inputs[i])->device(), bytes,
                    cudaMemcpyDeviceToDevice, stream_);
  }
  if (auto launched = launch_step(); !launched) return launched;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::uint32_t value = segment_.outputs[i];
    const std::size_t bytes = static_cast<std::size_t>(row_count(value)) *
                              static_cast<std::size_t>(graph_.values[value].width) * sizeof(float);
    cudaMemcpyAsync(static_cast<CudaBuffer*>(outputs[i])->device(), data(value), bytes,
                    cudaMemcpyDeviceToDevice, stream_);
  }
  draws_ = may_draw(batch);
  if (segment_.outputs.empty() && slot_of_[graph_.logits] >= 0 && shape_.outputs > 0) {
    const auto width = static_cast<std::size_t>(graph_.values[graph_.logits].width),
               rows = static_cast<std::size_t>(shape_.outputs);
    if (draws_) {
      draw_greedy(
          data(graph_.logits), shape_.outputs, static_cast<int>(width), best_.as<unsigned long long>(),
          reinterpret_cast<int*>(best_.as<unsigned long long>() + output_room_), drawn_.as<int>(), stream_);
    } else {
      cudaMemcpyAsync(logits_.as(), data(graph_.logits), rows * width * sizeof(float), cudaMemcpyDeviceToHost,
                      stream_);
    }
  }
  if (auto ended = check(cudaEventRecord(done_, stream_), "run a step"); !ended) return ended;
  in_flight_ = true;
  return {};
}

// Steps of one row a sequence come again and again in the same shape: the second time their launches are
// captured.
Result<> CudaPlan::launch_step() {
  const bool repeats = shape_.fresh && segment_.inputs.empty() && segment_.outputs.empty();
  if (repeats) {
    if (captured_.size() >= kMostCaptured && captured_.find(shape_) == captured_.end()) {
      for (auto& [shape, captured] : captured_) {
        if (captured.graph != nullptr) cudaGraphExecDestroy(captured.graph);
      }
      captured_.clear();
    }
    if (captured_[shape_].seen++ > 0) return run_captured();
  }
  run_phases();
  return check(cudaGetLastError(), "start a step");
}

Result<> CudaPlan::run_captured() {
  CapturedStep& captured = captured_[shape_];
  if (captured.graph == nullptr) {
    if (auto begun =
            check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "capture a step");
        !begun)
      return begun;
    run_phases();
    cudaGraph_t graph = nullptr;
    if (auto ended = check(cudaStreamEndCapture(stream_, &graph), "capture a step"); !ended) return ended;
    const auto made = check(cudaGraphInstantiate(&captured.graph, graph, 0), "prepare a captured step");
    cudaGraphDestroy(graph);
    if (!made) return made;
  }
  return check(cudaGraphLaunch(captured.graph, stream_), "start a captured step");
}

Result<StepOutput> CudaPlan::wait() {
  if (!in_flight_) return fail(Error::Code::internal, "wait: no step is in flight");
  in_flight_ = false;
  if (auto done = check(cudaEventSynchronize(done_), "finish a step"); !done)
    return tl::unexpected(done.error());
  StepOutput output;
  if (segment_.outputs.empty() && slot_of_[graph_.logits] >= 0) {
    if (draws_) {
      output.tokens = {drawn_.as<std::int32_t>(), static_cast<std::size_t>(shape_.outputs)};
      return output;
    }
    output.logits = {logits_.as<float>(), static_cast<std::size_t>(shape_.outputs) *
                                              static_cast<std::size_t>(graph_.values[graph_.logits].width)};
  }
  return output;
}

}  // namespace pensieve::hal::cuda
