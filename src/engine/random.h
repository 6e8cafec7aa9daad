// Counter-based randomness: a number that depends only on what is asked, never on what was asked before, so
// that an answer is the same alone and among others. Not for secrets.
#pragma once

#include <cstdint>

namespace pensieve::engine {

// A bijection that spreads every input bit over the word: the finaliser of SplitMix64 (Steele, Lea, Flood
// 2014, "Fast splittable pseudorandom number generators").
constexpr std::uint64_t mix_bits(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31);
}

// Uniform over 64 bits, for the token at `position` (in the sequence, prompt included) of choice `choice`.
constexpr std::uint64_t random_at(std::uint64_t seed, std::uint32_t choice, std::uint64_t position) {
  return mix_bits(mix_bits(mix_bits(seed) ^ (choice + 0x632BE5ABU)) + position);
}

// Uniform in [0, 1), all 53 bits of a double.
constexpr double unit_interval(std::uint64_t random) {
  return static_cast<double>(random >> 11) * 0x1p-53;
}

// From the operating system: where no seed was given.
std::uint64_t random_seed();

}  // namespace pensieve::engine
