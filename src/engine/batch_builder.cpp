// BatchBuilder: one sequence after the other, rows in order of position, output rows rising.
// Not for splitting work over devices.
#include "engine/batch_builder.h"

#include "engine/random.h"

namespace pensieve::engine {

const SamplingParams& sampling_of(const Sequence& sequence) {
  const Generation& generation = *sequence.generation;
  const std::int64_t answered = sequence.length() - generation.prompt_length();
  const bool no_end = generation.request.ignore_eos || answered < generation.request.min_tokens;
  return no_end ? generation.sampling_without_end : generation.request.sampling;
}

std::uint64_t random_of(const Sequence& sequence) {
  return random_at(sequence.generation->seed, static_cast<std::uint32_t>(sequence.choice),
                   sequence.tokens.size());
}

const Batch& BatchBuilder::build(std::span<const StepShare> shares) {
  for (auto* list :
       {&tokens_, &positions_, &sequence_starts_, &pages_, &page_starts_, &output_rows_, &slots_})
    list->clear();
  outputs_.clear();
  draws_.clear();
  sequence_starts_.push_back(0);
  page_starts_.push_back(0);
  for (const StepShare& share : shares) add(share);
  for (const OutputRow& output : outputs_) draws_.push_back(draw_for(output));
  for (PageTable& table : page_tables_) table = {pages_, page_starts_};
  batch_ = Batch{.tokens = tokens_,
                 .positions = positions_,
                 .sequence_starts = sequence_starts_,
                 .page_tables = page_tables_,
                 .slots = slots_,
                 .adapters = {},
                 .output_rows = output_rows_,
                 .draws = draws_};
  return batch_;
}

void BatchBuilder::add(const StepShare& share) {
  Sequence& sequence = *share.sequence;
  const Generation& generation = *sequence.generation;
  for (std::int32_t position = sequence.computed; position < sequence.computed + share.rows; ++position) {
    const bool last = position + 1 == sequence.length();
    const bool next_token = last && !generation.reads_only();
    // Tokens whose log-probability is known already are read again after a preemption, without output.
    const bool prompt_logprob = generation.request.prompt_logprobs && sequence.choice == 0 &&
                                position + 1 < generation.prompt_length() &&
                                position + 1 >= static_cast<std::int32_t>(generation.prompt_logprobs.size());
    if (next_token || prompt_logprob) {
      output_rows_.push_back(static_cast<std::int32_t>(tokens_.size()));
      outputs_.push_back({&sequence, position, next_token});
    }
    tokens_.push_back(sequence.tokens[static_cast<std::size_t>(position)]);
    positions_.push_back(position);
  }
  pages_.insert(pages_.end(), sequence.pages.begin(), sequence.pages.end());
  if (sequence.slot >= 0) slots_.push_back(sequence.slot);
  sequence_starts_.push_back(static_cast<std::int32_t>(tokens_.size()));
  page_starts_.push_back(static_cast<std::int32_t>(pages_.size()));
}

Draw BatchBuilder::draw_for(const OutputRow& output) const {
  const Sequence& sequence = *output.sequence;
  return {.sampling = &sampling_of(sequence),
          .random = random_of(sequence),
          .history = sequence.tokens,
          .allowed = {},
          .wants_logits =
              !output.next_token || sequence.generation->wants_logprobs() || sequence.matcher != nullptr};
}

}  // namespace pensieve::engine
