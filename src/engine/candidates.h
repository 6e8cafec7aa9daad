// Candidates: the tokens that samplers choose among, and the partial selections they need: never a sort of a
// whole vocabulary when a few tokens decide. Not for drawing (sampler.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pensieve::engine {

struct Candidate {
  float logit = 0.0F;
  float weight = 0.0F;  // exp(logit - largest logit): a probability before division by the sum
  float order = 0.0F;   // larger comes first where a sampler orders by something else than the logit
  std::int32_t token = 0;
};

// The `count` largest values above -inf, largest first, equal ones by index. `best` is overwritten.
void select_top(std::span<const float> values, std::size_t count, std::vector<Candidate>& best);

// Fills in the weights and answers their sum.
double weigh(std::vector<Candidate>& candidates, float largest);

// Keeps the shortest run, in falling `order` (equal ones by token), whose weights add up to at least `mass`;
// sorted that way.
void keep_mass(std::vector<Candidate>& candidates, double mass);

}  // namespace pensieve::engine
