// BatchBuilder: lays the sequences of a step out as the ragged batch that a plan runs, and remembers what
// each output row is for. Owns the arrays, which stay unchanged until the next build. Not for choosing rows:
// scheduler.h. Thread rule: the engine's thread only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/batch.h"
#include "engine/sequence.h"

namespace pensieve::engine {

struct StepShare {
  Sequence* sequence = nullptr;
  std::int32_t rows = 0;  // tokens from `computed` on
};

struct OutputRow {
  Sequence* sequence = nullptr;
  std::int32_t position = 0;  // of the row; it predicts the token after it
  bool next_token = false;    // draw one; else the log-probability of the prompt's next token is wanted
};

class BatchBuilder {
 public:
  // `state_groups`: page tables that the model wants; all are the same, a page number stands for one page of
  // each group.
  BatchBuilder(std::uint32_t state_groups) : page_tables_(state_groups) {}

  const Batch& build(std::span<const StepShare> shares);
  std::span<const OutputRow> outputs() const { return outputs_; }

 private:
  void add(const StepShare& share);
  Draw draw_for(const OutputRow& output) const;

  std::vector<std::int32_t> tokens_, positions_, sequence_starts_, pages_, page_starts_, output_rows_;
  std::vector<std::int32_t> slots_;  // empty where the model keeps no recurrent state
  std::vector<PageTable> page_tables_;
  std::vector<OutputRow> outputs_;
  std::vector<Draw> draws_;
  Batch batch_;
};

// How the token at the end of `sequence` is drawn: end tokens are excluded while they may not end the answer.
const SamplingParams& sampling_of(const Sequence& sequence);
std::uint64_t random_of(const Sequence& sequence);

}  // namespace pensieve::engine
