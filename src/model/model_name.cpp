// The grammar of names and how they are derived.
#include "model/model_name.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

namespace pensieve::model {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool valid_part(std::string_view part) {
  if (part.empty() || !is_letter_or_digit(part.front()) || part.find("..") != std::string_view::npos)
    return false;
  return std::all_of(part.begin(), part.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; });
}

// "135m", "7b", "1.5b", "8x7b", "500k": digits (with points and an x) before one unit letter.
bool is_size(std::string_view piece) {
  if (piece.size() < 2 || !is_digit(piece.front())) return false;
  const char unit = piece.back();
  if (unit != 'k' && unit != 'm' && unit != 'b' && unit != 't') return false;
  piece.remove_suffix(1);
  return is_digit(piece.back()) &&
         std::all_of(piece.begin(), piece.end(), [](char c) { return is_digit(c) || c == '.' || c == 'x'; });
}

// Where a piece ends: at '-', '_', or a '.' that is not inside a number such as "1.5b".
std::size_t piece_end(std::string_view text, std::size_t from) {
  for (std::size_t i = from; i < text.size(); ++i) {
    if (text[i] == '-' || text[i] == '_') return i;
    const bool in_number = i > from && i + 1 < text.size() && is_digit(text[i - 1]) && is_digit(text[i + 1]);
    if (text[i] == '.' && !in_number) return i;
  }
  return text.size();
}

}  // namespace

bool valid_name(std::string_view name) {
  if (name.empty() || name.size() > kLongestName) return false;
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    if (!valid_part(name.substr(colon + 1))) return false;
    name = name.substr(0, colon);
  }
  for (int part = 0; part < 3; ++part) {
    const std::size_t slash = name.find('/');
    if (!valid_part(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
  return false;
}

std::string name_from_file(std::string_view stem) {
  std::string name;
  for (const char c : stem.substr(0, kLongestName)) {
    const bool kept = is_letter_or_digit(c) || ((c == '.' || c == '_' || c == '-') && !name.empty());
    if (kept && !(c == '.' && name.back() == '.')) {
      name += c;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  while (!name.empty() && !is_letter_or_digit(name.back())) name.pop_back();
  return name;
}

std::optional<TaggedNames> tagged_names(std::string_view stem) {
  std::string text = lower_case(name_from_file(stem));
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = piece_end(text, from);
    if (from > 0 && is_size(std::string_view(text).substr(from, end - from))) {
      const std::string base = text.substr(0, from - 1), size = text.substr(from, end - from);
      std::string tag = text.substr(from);
      std::replace(tag.begin() + static_cast<std::ptrdiff_t>(size.size()), tag.end(), '.', '-');
      TaggedNames names{base + ":" + size, base + ":" + tag};
      if (valid_name(names.brief) && valid_name(names.full)) return names;
      return std::nullopt;
    }
    from = end + 1;
  }
  return std::nullopt;
}

std::optional<std::string> tagged_name(std::string_view basename, std::string_view size_label) {
  std::string name = lower_case(name_from_file(basename)) + ":" + lower_case(name_from_file(size_label));
  if (!valid_name(name)) return std::nullopt;
  return name;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view nearest_of(std::string_view wanted, std::span<const std::string_view> known) {
  const auto nearer = [wanted](std::string_view a, std::string_view b) {
    return edit_distance(wanted, a) < edit_distance(wanted, b);
  };
  const auto nearest = std::min_element(known.begin(), known.end(), nearer);
  return nearest == known.end() ? std::string_view() : *nearest;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  a = a.substr(0, kLongestName);
  b = b.substr(0, kLongestName);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace pensieve::model
