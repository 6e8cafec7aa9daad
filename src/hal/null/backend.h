// The null backend: costs nothing and answers scripted token ids, so that everything above the hardware can
// be tested and shown without a model's weights being computed. Not a model: its text means nothing, but it
// is the same in every run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/backend.h"

namespace pensieve::hal {

struct NullScript {
  // The token after the one at `position`, given that one, in a vocabulary of `vocabulary` tokens. It must
  // not depend on anything else, so that an answer is the same alone and among others.
  std::function<std::int32_t(std::int32_t token, std::int32_t position, std::int64_t vocabulary)> next;
  std::int64_t failing_step = -1;  // the step with this number (from 0) fails in wait
  bool draws_tokens = true;        // false: only logits are given, and the engine draws
};

// Walks through the middle half of the vocabulary by position: control tokens stand at the beginning or the
// end of nearly all vocabularies, so the text has none and never ends by itself.
std::int32_t default_null_token(std::int32_t token, std::int32_t position, std::int64_t vocabulary);

// Thread rule: the script is called by the thread that drives the plan. Logits, where wanted, are -|t - next|
// / 2 on a ring of the vocabulary (not below -40): the scripted token is the most probable, each has a
// probability of its own side of it.
std::unique_ptr<Backend> make_null_backend(NullScript script);

}  // namespace pensieve::hal
