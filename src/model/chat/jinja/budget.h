// Budget: what one rendering may spend. Templates come from model files and requests, so every operation pays
// here before it works or allocates. Not a clock: steps stand for time, so that results do not depend on the
// machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "model/chat/jinja/failure.h"

namespace pensieve::model::jinja {

// Thread rule: one thread, the rendering one.
class Budget {
 public:
  Budget(std::uint64_t steps, std::size_t memory_bytes) : steps_left_(steps), memory_left_(memory_bytes) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  void step(std::uint64_t count = 1) {
    if (count > steps_left_) fail_budget("the template takes too many steps; it was stopped");
    steps_left_ -= count;
  }
  // Work on bytes costs time as well. About as long as one step take: copying or comparing 256 bytes,
  // searching 64, looking at 16 character by character.
  void touch(std::size_t bytes) { step(bytes >> 8); }
  void search(std::size_t bytes) { step(bytes >> 6); }
  void scan(std::size_t bytes) { step(bytes >> 4); }

  // Memory that is alive. Called before the allocation; Charge gives it back.
  void grow(std::size_t bytes) {
    touch(bytes);
    if (bytes > memory_left_) fail_budget("the template needs too much memory; it was stopped");
    memory_left_ -= bytes;
  }
  void release(std::size_t bytes) { memory_left_ += bytes; }
  std::size_t memory_left() const { return memory_left_; }

 private:
  std::uint64_t steps_left_;
  std::size_t memory_left_;
};

// A share of a budget's memory, given back on destruction. Without a budget (constants, inputs) it holds
// nothing.
class Charge {
 public:
  Charge() = default;
  explicit Charge(Budget* budget, std::size_t bytes = 0) : budget_(budget) { grow(bytes); }
  Charge(Charge&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() {
    if (budget_ != nullptr) budget_->release(bytes_);
  }
  void grow(std::size_t bytes) {
    if (budget_ == nullptr) return;
    budget_->grow(bytes);
    bytes_ += bytes;
  }

 private:
  Budget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace pensieve::model::jinja
