// Generation and Sequence: one request and its choices, as the engine keeps them. A sequence is a list of
// tokens, prompt and answer, of which the first `computed` have their state in pages; reading a prompt,
// writing an answer and reading again after a preemption differ only in how many tokens are left to compute.
// Not for decisions: scheduler.h. Thread rule: the engine's thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/generation.h"
#include "engine/constraint/matcher.h"
#include "engine/emitter.h"
#include "engine/runner.h"
#include "engine/thinking_watch.h"

namespace pensieve::engine {

struct Generation;

struct Sequence {
  Sequence(Generation& owner, std::int32_t index, Emitter text)
      : generation(&owner), choice(index), emitter(std::move(text)) {}

  Generation* generation;
  std::int32_t choice;
  enum class Phase : std::uint8_t {
    blocked,  // another choice reads the prompt first
    waiting,
    running,
    finished
  } phase = Phase::blocked;

  std::vector<std::int32_t> tokens;  // empty while blocked
  std::vector<std::int32_t> pages;   // of the tokens computed and of those in the step that runs
  std::int32_t computed = 0;
  std::int32_t published = 0;  // whole pages that the prefix cache knows

  // Of models with recurrent state, while it runs (recurrence.cpp).
  std::int32_t slot = -1;           // where its state is
  std::int32_t restored_from = -1;  // the slot whose content it begins with
  std::int32_t branch = 0;          // tokens that others have in common with it, as its pages told
  std::int32_t answer_page = -1;    // the page of its answer that a state is kept with

  bool started = false;                       // has been admitted once, Started is sent
  double started_at = 0, first_token_at = 0;  // milliseconds of the engine's clock
  Emitter emitter;
  std::unique_ptr<constraint::Matcher> matcher;  // of constrained answers
  std::unique_ptr<ThinkingWatch> thinking;       // of answers with a budget for it

  std::int32_t length() const { return static_cast<std::int32_t>(tokens.size()); }
};

struct Generation {
  Request request;
  std::uint64_t arrival = 0;  // age: lower is older
  std::uint64_t seed = 0;
  SamplingParams sampling_without_end;  // while an end token may not be drawn (min_tokens, ignore_eos)
  double submitted_at = 0;
  std::vector<std::unique_ptr<Sequence>> choices;
  std::int32_t unfinished = 0;
  bool cancelled = false;

  std::int64_t cached_tokens = 0;  // of the prompt, not computed for this request
  std::int64_t prompt_seen = 0;    // prompt tokens that stats have counted, computed or cached
  std::vector<TokenLogprob>
      prompt_logprobs;  // when asked for: of the prompt's first tokens, as far as they were read
  // The prompt's pages but for its last token, kept until every choice has started from them. The last one
  // may be filled in part: its owner goes on appending, the others copy it.
  std::vector<std::int32_t> fork_pages;

  std::int32_t prompt_length() const { return static_cast<std::int32_t>(request.prompt.size()); }
  bool wants_logprobs() const { return request.top_logprobs >= 0; }
  bool reads_only() const { return request.max_tokens == 0; }
};

// Oldest first; choices of one request by number.
struct ByAge {
  bool operator()(const Sequence* a, const Sequence* b) const {
    if (a->generation->arrival != b->generation->arrival)
      return a->generation->arrival < b->generation->arrival;
    return a->choice < b->choice;
  }
};

}  // namespace pensieve::engine
