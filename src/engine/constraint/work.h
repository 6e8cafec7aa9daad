// Work: what compiling one constraint has cost so far, counted in steps, so that whatever a client sends is
// compiled or refused within bounded time. Shared by everything that takes part. Not a clock: the same
// constraint is always judged alike. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace pensieve::engine::constraint {

// Why a constraint cannot be compiled. Thrown inside this folder only; compile.h catches it.
class Refusal : public std::runtime_error {
 public:
  explicit Refusal(const std::string& what) : std::runtime_error(what) {}
};

class Work {
 public:
  // A step takes some ten nanoseconds: all of them together less than a tenth of a second.
  static constexpr std::size_t kMostSteps = 6'000'000;

  void spend(std::size_t steps) {
    spent_ += steps;
    if (spent_ > kMostSteps)
      throw Refusal(
          "the constraint is too complex: it takes too long to compile; use fewer or smaller "
          "repetitions, patterns and alternatives");
  }
  std::size_t spent() const { return spent_; }

 private:
  std::size_t spent_ = 0;
};

}  // namespace pensieve::engine::constraint
