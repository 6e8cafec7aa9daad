// Membership beyond ASCII: classes first, then a binary search of the ranges. Not for ASCII, which is a
// bitmap.
#include "model/tokenizer/character_set.h"

#include <algorithm>

namespace pensieve::model {

void CharacterSet::finish() {
  std::sort(ranges_.begin(), ranges_.end());
  // Overlapping ranges are joined: the search looks at one range only.
  std::vector<std::pair<char32_t, char32_t>> joined;
  for (const auto& range : ranges_) {
    if (!joined.empty() && range.first <= joined.back().second) {
      joined.back().second = std::max(joined.back().second, range.second);
    } else {
      joined.push_back(range);
    }
  }
  ranges_ = std::move(joined);
  for (char32_t value = 0; value < 128; ++value) {
    if (contains_slowly(value, classes_of(value))) ascii_[value >> 6] |= std::uint64_t{1} << (value & 63);
  }
}

bool CharacterSet::contains_slowly(char32_t value, ClassBits classes) const {
  bool member = (classes & classes_) != 0;
  for (const ClassBits not_class : not_classes_) member = member || (classes & not_class) == 0;
  if (!member && !ranges_.empty()) {
    const auto after =
        std::upper_bound(ranges_.begin(), ranges_.end(), value,
                         [](char32_t wanted, const auto& range) { return wanted < range.first; });
    member = after != ranges_.begin() && value <= std::prev(after)->second;
  }
  member = member && (classes & excluded_) == 0;
  return member != negated_;
}

}  // namespace pensieve::model
