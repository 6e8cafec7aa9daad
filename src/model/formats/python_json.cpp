// One pass that knows only whether it is within a text.
#include "model/formats/python_json.h"

namespace pensieve::model {

std::string without_infinity(std::string_view text) {
  constexpr std::string_view kWord = "Infinity", kInstead = "3.4e38";
  std::string out;
  out.reserve(text.size());
  bool in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!in_text && text.substr(i, kWord.size()) == kWord) {
      out += kInstead;
      i += kWord.size() - 1;
      continue;
    }
    out += text[i];
    if (text[i] == '"') in_text = !in_text;
    if (in_text && text[i] == '\\' && i + 1 < text.size()) out += text[++i];
  }
  return out;
}

}  // namespace pensieve::model
