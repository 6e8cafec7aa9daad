// Formatting for people.
#include "tools/terminal.h"

#include <fmt/format.h>

#include <array>

#include "util/unicode.h"

namespace pensieve::tools {
namespace {

std::string scaled(double value, double step, const std::array<const char*, 5>& units) {
  std::size_t unit = 0;
  for (; value >= step && unit + 1 < units.size(); ++unit) value /= step;
  return fmt::format("{:.{}f}{}", value, unit == 0 ? 0 : 1, units[unit]);
}

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  return scaled(static_cast<double>(bytes), 1024, {" B", " KiB", " MiB", " GiB", " TiB"});
}

std::string human_count(std::uint64_t count) {
  return scaled(static_cast<double>(count), 1000, {"", " K", " M", " B", " T"});
}

std::string harmless(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const util::CodePoint point = util::decode_utf8(text, at);
    const bool control = point.value < 0x20 || (point.value >= 0x7F && point.value < 0xA0);
    util::append_utf8(
        control && point.value != '\n' && point.value != '\t' ? util::kReplacement : point.value, out);
    at += point.size;
  }
  return out;
}

}  // namespace pensieve::tools
