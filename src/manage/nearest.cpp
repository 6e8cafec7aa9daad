// Edit distance over a short list of known words.
#include "manage/nearest.h"

#include <algorithm>
#include <utility>

#include "model/model_name.h"

namespace pensieve::manage {

std::vector<std::string> nearest(std::string_view word, std::span<const std::string> known,
                                 std::size_t limit) {
  const std::string wanted = model::lower_case(word);
  const std::size_t tolerance = std::max<std::size_t>(2, wanted.size() / 3);
  std::vector<std::pair<std::size_t, std::string>> close;
  for (const std::string& candidate : known) {
    const std::string other = model::lower_case(candidate);
    const bool begins = wanted.size() >= 3 && other.starts_with(wanted);
    const std::size_t distance = begins ? 1 : model::edit_distance(wanted, other);
    if (distance <= tolerance && distance < std::max(wanted.size(), other.size()))
      close.emplace_back(distance, candidate);
  }
  std::stable_sort(close.begin(), close.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> words;
  for (std::size_t i = 0; i < close.size() && i < limit; ++i) words.push_back(std::move(close[i].second));
  return words;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  const std::vector<std::string> words = nearest(word, known, 1);
  return words.empty() ? std::string() : "; did you mean '" + words.front() + "'?";
}

}  // namespace pensieve::manage
