// libutf8proc does the work, on stretches of valid text that are not all ASCII.
#include "model/tokenizer/normal_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "util/unicode.h"

namespace pensieve::model {
namespace {

utf8proc_option_t options_of(NormalForm form) {
  int options = UTF8PROC_STABLE;
  const bool compatible = form == NormalForm::nfkc || form == NormalForm::nfkd;
  const bool composed = form == NormalForm::nfc || form == NormalForm::nfkc;
  options |= composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (compatible) options |= UTF8PROC_COMPAT;
  return static_cast<utf8proc_option_t>(options);
}

void append(std::string_view text, NormalForm form, std::string& out) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char byte) { return (byte & 0x80) == 0; });
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t size =
      ascii ? -1
            : utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                           static_cast<utf8proc_ssize_t>(text.size()), &mapped, options_of(form));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (size < 0) {
    out.append(text);
  } else {
    out.append(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
  }
}

}  // namespace

std::optional<NormalForm> find_normal_form(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames{"nfc", "nfd", "nfkc", "nfkd"};
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<NormalForm>(found - kNames.begin());
}

std::string normalised(std::string_view text, NormalForm form) {
  std::string out;
  out.reserve(text.size());
  std::size_t valid = 0;  // where the valid stretch began
  std::size_t at = 0;
  while (at < text.size()) {
    const util::CodePoint point = util::decode_utf8(text, at);
    if (!point.valid) {
      append(text.substr(valid, at - valid), form, out);
      out.append(text.substr(at, point.size));
      valid = at + point.size;
    }
    at += point.size;
  }
  append(text.substr(valid), form, out);
  return out;
}

}  // namespace pensieve::model
