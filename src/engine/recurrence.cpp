// What the engine does more for models with recurrent state: which slot a sequence runs in, where steps stop
// so that a state can be kept, and which states are kept. Pages are found as for every model (schedule.cpp),
// but a sequence can only go on from the end of a page whose state was kept.
#include <algorithm>

#include "engine/engine.h"

namespace pensieve::engine {
namespace {

// Tokens between two states kept: of a prompt, at least so many and at most kPromptCheckpoints of them; of an
// answer so many, one of which is there at a time.
constexpr std::int32_t kPromptInterval = 256, kPromptCheckpoints = 8, kAnswerInterval = 64;

std::int32_t whole_multiple(std::int32_t tokens, std::int32_t page_tokens) {
  return std::max(tokens / page_tokens, 1) * page_tokens;
}

std::int32_t prompt_interval(std::int32_t length, std::int32_t page_tokens) {
  const std::int32_t times = length / (kPromptInterval * kPromptCheckpoints) + 1;
  return whole_multiple(kPromptInterval, page_tokens) * times;
}

}  // namespace

// Only as far as to the end of a page whose state was kept. `branch` is how far the pages alone would reach:
// others have gone on from there, so it is a place to keep a state at.
void Engine::trim_to_checkpoint(CachedPrefix& prefix, std::int32_t& branch) const {
  branch = static_cast<std::int32_t>(prefix.pages.size()) * store_.page_tokens();
  while (!prefix.pages.empty() && slots_.checkpoint_of(prefix.pages.back()) == StateSlots::kNone) {
    if (store_.cache().is_idle(prefix.pages.back())) --prefix.idle;
    prefix.pages.pop_back();
  }
}

// The most rows that a sequence may have computed when the next step ends; 0: any number.
std::int32_t Engine::next_stop(const Sequence& sequence, std::int32_t computed, std::int32_t branch) const {
  if (!publishes(sequence)) return 0;
  const std::int32_t page_tokens = store_.page_tokens();
  const std::int32_t interval = prompt_interval(sequence.length(), page_tokens);
  const std::int32_t last = (sequence.length() - 1) / page_tokens * page_tokens;
  std::int32_t stop = 0;
  for (const std::int32_t wanted : {branch, (computed / interval + 1) * interval, last}) {
    if (wanted > computed && wanted <= last && (stop == 0 || wanted < stop)) stop = wanted;
  }
  return stop;
}

// Whether the state that the candidate was to begin with is gone: another one, admitted in the same step, has
// been given its slot.
bool Engine::lost_checkpoint(const Candidate& candidate) const {
  return slots_.used() && !candidate.pages.empty() &&
         slots_.checkpoint_of(candidate.pages.back()) == StateSlots::kNone;
}

// The restoring copy is carried out before the step: what the slot is given to later comes later in copies_.
// Where the only checkpoint left makes room for its own sequence, it takes over the slot as it is.
void Engine::enter_slot(Sequence& sequence, std::int32_t branch) {
  sequence.branch = branch;
  sequence.restored_from =
      sequence.pages.empty() ? StateSlots::kNone : slots_.checkpoint_of(sequence.pages.back());
  if (sequence.restored_from != StateSlots::kNone) slots_.used_again(sequence.restored_from);
  sequence.slot = slots_.take();
}

// After a step: keeps the state where it is worth it. The copy is made before the next step.
void Engine::keep_state(Sequence& sequence) {
  const std::int32_t page_tokens = store_.page_tokens();
  if (sequence.computed % page_tokens != 0 || sequence.published * page_tokens != sequence.computed) return;
  const std::int32_t prompt = sequence.generation->prompt_length();
  const bool answers = sequence.computed > prompt;
  const std::int32_t interval = answers ? whole_multiple(kAnswerInterval, page_tokens)
                                        : prompt_interval(sequence.length(), page_tokens);
  const std::int32_t last = (prompt - 1) / page_tokens * page_tokens;
  const bool wanted =
      sequence.computed == last || sequence.computed == sequence.branch || sequence.computed % interval == 0;
  const std::int32_t page = sequence.pages[static_cast<std::size_t>(sequence.published) - 1];
  if (!wanted) return;
  if (const std::int32_t kept = slots_.checkpoint_of(page); kept != StateSlots::kNone)
    return slots_.used_again(kept);
  if (answers && sequence.answer_page >= 0) slots_.forget(sequence.answer_page);
  const std::int32_t slot = slots_.add(page);
  if (answers) sequence.answer_page = slot == StateSlots::kNone ? -1 : page;
  if (slot != StateSlots::kNone) saves_.push_back({slot_group_, sequence.slot, slot});
}

void Engine::leave_slot(Sequence& sequence) {
  if (sequence.slot != StateSlots::kNone) slots_.give_back(sequence.slot);
  sequence.slot = sequence.restored_from = StateSlots::kNone;
  sequence.answer_page = -1;
  sequence.branch = 0;
}

}  // namespace pensieve::engine
