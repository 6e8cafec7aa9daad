// Timed forward passes for `bench`: prompts read and tokens made at a given depth, by a number of sequences
// together. What is timed and what is not: see each function. Not a server benchmark.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/result.h"
#include "tools/forward.h"

namespace pensieve::tools {

struct Workload {
  std::int64_t prompt = 512, generate = 128, depth = 0;  // tokens of each sequence
  std::int32_t parallel = 1, repeat = 5;
};

struct Spread {
  double median = 0, minimum = 0, maximum = 0;
};
Spread spread_of(std::vector<double> samples);  // not empty

struct Rates {  // tokens per second, summed over the sequences; empty when nothing of the kind was asked for
  std::vector<double> prompt, generate;
};

// Fills every sequence to `depth` (untimed), warms up (untimed), then times each repeat from the same depth:
// the prompt's tokens alone, and the generated tokens with their choice alone. `advanced` hears of tokens
// done.
Result<Rates> measure(Forward& forward, const Workload& work,
                      const std::function<void(std::int64_t)>& advanced);
std::int64_t tokens_in_all(const Workload& work);  // what `advanced` adds up to

// Bytes that one generating step of `sequences` sequences of `depth` tokens must read: each weight once (of
// an embedding table only the rows looked up) and the cached state.
double bytes_for_step(const Forward& forward, std::int64_t depth, std::int32_t sequences);

}  // namespace pensieve::tools
