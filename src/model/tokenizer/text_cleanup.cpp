// Three passes in this order: each sees what the one before left. Not locale aware: bytes only.
#include "model/tokenizer/text_cleanup.h"

namespace pensieve::model {
namespace {

std::string without_spaces_before_signs(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool sign = text[i] == '?' || text[i] == '!' || text[i] == '.' || text[i] == ',';
    if (sign && i > 0 && text[i - 1] == ' ') out.pop_back();
    out.push_back(text[i]);
  }
  return out;
}

std::string without_spaces_around_apostrophes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool before_is_space = false;  // and was kept
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\'' && before_is_space && i + 1 < text.size() && text[i + 1] == ' ') {
      out.back() = '\'';
      ++i;
      before_is_space = false;
      continue;
    }
    out.push_back(text[i]);
    before_is_space = text[i] == ' ';
  }
  return out;
}

std::string without_spaces_before_contractions(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\'' && i > 0 && text[i - 1] == ' ') {
      const std::string_view rest = text.substr(i + 1);
      if (rest.starts_with('s') || rest.starts_with('m') || rest.starts_with("re") || rest.starts_with("ve"))
        out.pop_back();
    }
    out.push_back(text[i]);
  }
  return out;
}

}  // namespace

std::string clean_spaces(std::string_view text) {
  return without_spaces_before_contractions(
      without_spaces_around_apostrophes(without_spaces_before_signs(text)));
}

}  // namespace pensieve::model
