// UTF-8 decoding and repair by the table of well-formed byte sequences (The Unicode Standard, table 3-7).
// Not for character classes or normalisation: those are libutf8proc's.
#include "util/unicode.h"

#include <algorithm>

namespace pensieve::util {
namespace {

// What a lead byte promises: how many bytes, and the range the second byte must lie in (narrower than 80..BF
// where overlong forms, surrogates or values above U+10FFFF would be spelled otherwise).
struct Lead {
  std::uint32_t size;  // 0: never starts a character
  std::uint8_t second_low;
  std::uint8_t second_high;
};

constexpr Lead lead_of(std::uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// What stands at text[at]: the bytes that fit the lead's promise, and the promise.
struct Sequence {
  std::uint32_t fitting;  // >= 1
  std::uint32_t wanted;   // 0: no such lead
};

Sequence sequence_at(std::string_view text, std::size_t at) {
  const Lead lead = lead_of(static_cast<std::uint8_t>(text[at]));
  std::uint32_t fitting = 1;
  for (; fitting < lead.size && at + fitting < text.size(); ++fitting) {
    const auto byte = static_cast<std::uint8_t>(text[at + fitting]);
    const std::uint8_t low = fitting == 1 ? lead.second_low : std::uint8_t{0x80};
    const std::uint8_t high = fitting == 1 ? lead.second_high : std::uint8_t{0xBF};
    if (byte < low || byte > high) break;
  }
  return {fitting, lead.size};
}

}  // namespace

CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto first = static_cast<std::uint8_t>(text[at]);
  if (first < 0x80) return {first, 1, true};
  const Sequence sequence = sequence_at(text, at);
  if (sequence.fitting != sequence.wanted) return {kReplacement, 1, false};
  char32_t value = first & (0x7FU >> sequence.wanted);
  for (std::uint32_t i = 1; i < sequence.wanted; ++i) {
    value = (value << 6) | (static_cast<std::uint8_t>(text[at + i]) & 0x3FU);
  }
  return {value, sequence.wanted, true};
}

void append_utf8(char32_t value, std::string& out) {
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) value = kReplacement;
  const auto put = [&out](char32_t byte) {
    out.push_back(static_cast<char>(static_cast<std::uint8_t>(byte)));
  };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0 | (value >> 6));
    put(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    put(0xE0 | (value >> 12));
    put(0x80 | ((value >> 6) & 0x3F));
    put(0x80 | (value & 0x3F));
  } else {
    put(0xF0 | (value >> 18));
    put(0x80 | ((value >> 12) & 0x3F));
    put(0x80 | ((value >> 6) & 0x3F));
    put(0x80 | (value & 0x3F));
  }
}

bool valid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Sequence sequence = sequence_at(text, at);
    if (sequence.fitting != sequence.wanted) return false;
    at += sequence.wanted;
  }
  return true;
}

std::size_t complete_utf8(std::string_view text) {
  // An unfinished character is at most three bytes long and reaches the end of the text.
  const std::size_t lookback = std::min<std::size_t>(3, text.size());
  for (std::size_t back = 1; back <= lookback; ++back) {
    const std::size_t at = text.size() - back;
    const Sequence sequence = sequence_at(text, at);
    if (sequence.wanted > back && sequence.fitting == back) return at;
  }
  return text.size();
}

std::string repair_utf8(std::string_view text) {
  // One U+FFFD for each maximal subpart, as browsers and Python do; so repairing the pieces that
  // complete_utf8 cuts gives the same as repairing the whole.
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Sequence sequence = sequence_at(text, at);
    if (sequence.fitting == sequence.wanted) {
      out.append(text.substr(at, sequence.wanted));
    } else {
      append_utf8(kReplacement, out);
    }
    at += sequence.fitting;
  }
  return out;
}

}  // namespace pensieve::util
