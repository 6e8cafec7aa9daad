// See keep_alive.h. Durations are written as in Go's time package.
#include "server/dialects/keep_alive.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace pensieve::server {
namespace {

// A number and a unit at the front of `text`, which loses them; nothing when there is none.
std::optional<double> take_duration(std::string_view& text) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  constexpr std::array kUnits{Unit{"ms", 1e-3}, Unit{"us", 1e-6}, Unit{"ns", 1e-9},
                              Unit{"h", 3600},  Unit{"m", 60},    Unit{"s", 1}};
  double number = 0, digit = 1;
  std::size_t at = 0, digits = 0;
  bool fraction = false;
  for (; at < text.size() && digits < 12; ++at) {
    const char c = text[at];
    if (c == '.' && !fraction) {
      fraction = true;
    } else if (c >= '0' && c <= '9') {
      ++digits;
      if (fraction) digit /= 10;
      number = fraction ? number + (c - '0') * digit : number * 10 + (c - '0');
    } else {
      break;
    }
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(at);
  if (text.empty()) return number;  // seconds
  for (const Unit& unit : kUnits) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    return number * unit.seconds;
  }
  return std::nullopt;
}

std::optional<double> duration_seconds(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  double all = 0;
  while (!text.empty()) {
    const auto part = take_duration(text);
    if (!part) return std::nullopt;
    all += *part;
  }
  return negative ? -all : all;
}

}  // namespace

Result<std::optional<std::chrono::seconds>> read_keep_alive(const Json& body) {
  constexpr double kMost = 1e9;  // thirty years
  const Json* value = find_field(body, "keep_alive");
  if (value == nullptr) return std::optional<std::chrono::seconds>();
  std::optional<double> seconds;
  if (value->is_number()) seconds = value->get<double>();
  if (value->is_string()) seconds = duration_seconds(value->get_ref<const std::string&>());
  if (!seconds) return wrong_field("keep_alive", "seconds, or text such as '5m', '1h' or '-1'", *value);
  const double bounded = *seconds < 0 ? -1 : std::min(*seconds, kMost);
  return std::optional(std::chrono::seconds(static_cast<std::int64_t>(bounded)));
}

}  // namespace pensieve::server
