// Parsing and formatting of times.
#include "model/chat/jinja/clock.h"

#include <fmt/format.h>

namespace pensieve::model::jinja {
namespace {

// Two or four digits at text[at...]; -1 when they are none.
int number_at(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

int days_in(int month, int year) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

}  // namespace

Result<std::tm> parse_time(std::string_view text) {
  const auto refuse = [text] {
    return fail(Error::Code::invalid,
                fmt::format("'{}' is not a time; write it as YYYY-MM-DD HH:MM:SS", text.substr(0, 40)));
  };
  constexpr std::string_view kShape = "0000-00-00 00:00:00";
  if (text.size() != kShape.size()) return refuse();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == '0' ? !digit : text[i] != kShape[i]) return refuse();
  }
  const int year = number_at(text, 0, 4), month = number_at(text, 5, 2), day = number_at(text, 8, 2);
  std::tm time{};
  time.tm_hour = number_at(text, 11, 2);
  time.tm_min = number_at(text, 14, 2);
  time.tm_sec = number_at(text, 17, 2);
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in(month, year) || time.tm_hour > 23 ||
      time.tm_min > 59 || time.tm_sec > 59) {
    return refuse();
  }
  time.tm_year = year - 1900;
  time.tm_mon = month - 1;
  time.tm_mday = day;
  int days = day - 1;
  for (int earlier = 1; earlier < month; ++earlier) days += days_in(earlier, year);
  time.tm_yday = days;
  const int previous = year - 1;  // 1 January of year 1 was a Monday
  time.tm_wday = (previous * 365 + previous / 4 - previous / 100 + previous / 400 + days + 1) % 7;
  return time;
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  localtime_r(&now, &time);
  return time;
}

std::string format_time(const std::tm& time, std::string_view format) {
  constexpr std::string_view kFlags = "-_0^#", kDirectives = "aAbBcCdDeFgGhHIjklmMnpPrRStTuUVwWxXyY";
  std::string out;
  for (std::size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%' || at + 1 == format.size()) {
      out += format[at];
      continue;
    }
    std::string directive = "%";
    std::size_t next = at + 1;
    if (kFlags.find(format[next]) != std::string_view::npos && next + 1 < format.size())
      directive += format[next++];
    const char kind = format[next];
    if (kind == '%') {
      out += '%';
    } else if (kind == 'f') {
      out += "000000";
    } else if (kind == 'z' || kind == 'Z') {
      // a naive time has no zone
    } else if (kDirectives.find(kind) != std::string_view::npos) {
      directive += kind;
      char buffer[128];
      out.append(buffer, std::strftime(buffer, sizeof buffer, directive.c_str(), &time));
    } else {
      out += format.substr(at, next + 1 - at);
    }
    at = next;
  }
  return out;
}

}  // namespace pensieve::model::jinja
