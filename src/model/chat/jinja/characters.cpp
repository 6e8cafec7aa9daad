// Character classes and case mappings. Simple mappings of libutf8proc; of the one-to-many mappings only those
// that occur in living text (sharp s, the ligatures) are known.
#include "model/chat/jinja/characters.h"

#include <utf8proc.h>

#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

void append_upper(char32_t c, std::string& out, bool title) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    return;
  }
  switch (c) {
    case 0xDF:
      out += title ? "Ss" : "SS";
      return;
    case 0xFB00:
      out += title ? "Ff" : "FF";
      return;
    case 0xFB01:
      out += title ? "Fi" : "FI";
      return;
    case 0xFB02:
      out += title ? "Fl" : "FL";
      return;
    default:
      break;
  }
  const auto code = static_cast<utf8proc_int32_t>(c);
  util::append_utf8(static_cast<char32_t>(title ? utf8proc_totitle(code) : utf8proc_toupper(code)), out);
}

void append_lower(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  } else {
    util::append_utf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))), out);
  }
}

bool is_cased(char32_t c) {
  return is_upper(c) || is_lower(c) || category(c) == UTF8PROC_CATEGORY_LT;
}

// Calls visit(code point, index of the character).
template <class Visit>
void for_each(std::string_view text, Visit visit) {
  std::size_t index = 0;
  for (std::size_t at = 0; at < text.size(); ++index) {
    const util::CodePoint point = util::decode_utf8(text, at);
    visit(point.value, index);
    at += point.size;
  }
}

bool in_set(std::string_view text, std::size_t at, std::size_t size, std::string_view set) {
  if (set.empty()) return is_space(util::decode_utf8(text, at).value);
  return set.find(text.substr(at, size)) != std::string_view::npos;
}

}  // namespace

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_line_break(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool is_printable(char32_t c) {
  if (c < 0x80) return c >= 0x20 && c != 0x7F;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_letter(char32_t c) {
  const utf8proc_category_t kind = category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}
bool is_decimal(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_ND;
}
bool is_upper(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU;
}
bool is_lower(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL;
}

bool is_word(char32_t c) {
  if (c == '_') return true;
  const utf8proc_category_t kind = category(c);
  return (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO) ||
         (kind >= UTF8PROC_CATEGORY_MN && kind <= UTF8PROC_CATEGORY_NL) || kind == UTF8PROC_CATEGORY_PC;
}

std::string to_upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each(text, [&out](char32_t c, std::size_t) { append_upper(c, out, false); });
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each(text, [&out](char32_t c, std::size_t) { append_lower(c, out); });
  return out;
}

std::string to_title(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool inside = false;
  for_each(text, [&](char32_t c, std::size_t) {
    if (inside) {
      append_lower(c, out);
    } else {
      append_upper(c, out, true);
    }
    inside = is_cased(c);
  });
  return out;
}

std::string capitalize(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each(text, [&out](char32_t c, std::size_t index) {
    if (index == 0) {
      append_upper(c, out, true);
    } else {
      append_lower(c, out);
    }
  });
  return out;
}

std::string swap_case(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each(text, [&out](char32_t c, std::size_t) {
    if (is_upper(c)) {
      append_lower(c, out);
    } else {
      append_upper(c, out, false);
    }
  });
  return out;
}

Stretch strip(std::string_view text, std::string_view set, Side side) {
  std::size_t begin = 0, end = text.size();
  if (side != Side::right) {
    while (begin < end) {
      std::size_t size = util::decode_utf8(text, begin).size;
      if (!in_set(text, begin, size, set)) break;
      begin += size;
    }
  }
  if (side != Side::left) {
    while (end > begin) {
      std::size_t at = end - 1;
      while (at > begin && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
      if (!in_set(text, at, end - at, set)) break;
      end = at;
    }
  }
  return {begin, end};
}

}  // namespace pensieve::model::jinja
