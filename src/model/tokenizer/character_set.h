// CharacterSet: one [bracket] of a pattern as a membership test. Not a parser: pattern_parser builds it.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/tokenizer/character_class.h"

namespace pensieve::model {

// Thread rule: immutable once finished; any thread may test.
class CharacterSet {
 public:
  void add(char32_t first, char32_t last) { ranges_.emplace_back(first, last); }
  void add_classes(ClassBits classes) { classes_ |= classes; }
  void add_not_classes(ClassBits classes) { not_classes_.push_back(classes); }  // e.g. \S within a bracket
  void exclude_classes(ClassBits classes) { excluded_ |= classes; }             // [... && [^\p{...}]]
  void negate() { negated_ = true; }
  void finish();  // call once, last: sorts the ranges and makes the ASCII bitmap

  bool contains(const Character& character) const {
    const char32_t value = character.value();
    if (value < 128) return (ascii_[value >> 6] >> (value & 63) & 1) != 0;
    return contains_slowly(value, character.classes());
  }

 private:
  bool contains_slowly(char32_t value, ClassBits classes) const;

  std::array<std::uint64_t, 2> ascii_{};
  ClassBits classes_ = 0;
  ClassBits excluded_ = 0;
  bool negated_ = false;
  std::vector<ClassBits> not_classes_;
  std::vector<std::pair<char32_t, char32_t>> ranges_;
};

}  // namespace pensieve::model
