// Batch: one step's work for a plan: ragged rows of any number of sequences, prefill and decode rows mixed
// freely. Borrowed spans: everything stays valid and unchanged from Plan::submit until Plan::wait has
// returned.
#pragma once

#include <cstdint>
#include <span>

#include "core/sampling.h"

namespace pensieve {

// Page table of one group of states, in CSR form: sequence s owns pages[starts[s] .. starts[s + 1]), in order
// of position. Token at position p lives in page pages[starts[s] + p / page_tokens], slot p % page_tokens.
struct PageTable {
  std::span<const std::int32_t> pages;
  std::span<const std::int32_t> starts;  // [sequences + 1]
};

// How one output row becomes a token on a device that draws (DeviceInfo::draws_tokens); other devices return
// its logits.
struct Draw {
  const SamplingParams* sampling = nullptr;
  std::uint64_t random = 0;                // counter-based randomness for this row
  std::span<const std::int32_t> history;   // tokens so far, for penalties
  std::span<const std::uint32_t> allowed;  // bit mask over the vocabulary; empty: all
  bool wants_logits = false;               // log-probabilities are asked for
};

struct Batch {
  std::span<const std::int32_t> tokens;           // [rows]
  std::span<const std::int32_t> positions;        // [rows], rising by 1 within a sequence
  std::span<const std::int32_t> segments;         // [rows], below Graph::segments; empty: all 0
  std::span<const std::int32_t> sequence_starts;  // [sequences + 1], first row of each sequence
  std::span<const PageTable> page_tables;         // [Graph::state_groups]
  std::span<const std::int32_t> slots;        // [sequences], recurrent state; empty when the model has none
  std::span<const std::int32_t> adapters;     // [sequences], -1: base model; empty: base model for all
  std::span<const std::int32_t> output_rows;  // rows whose logits are wanted, rising
  std::span<const Draw> draws;                // [output rows]

  std::int32_t rows() const { return static_cast<std::int32_t>(tokens.size()); }
  std::int32_t sequences() const { return static_cast<std::int32_t>(sequence_starts.size()) - 1; }
};

// What a step gave; valid until the next submit on the same plan.
struct StepOutput {
  std::span<const float>
      logits;  // [output rows, vocabulary]; empty when the device drew and nobody wanted them
  // [output rows], from devices that draw. Others may draw too when every row's draw is greedy, unrestricted
  // and without penalties or wanted logits; logits are empty then.
  std::span<const std::int32_t> tokens;
};

}  // namespace pensieve
