// Writes one line per event: JSON for machines, "time level event key=value" for people.
#include "util/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <new>

#include "util/json.h"

namespace pensieve::util {
namespace {

constexpr std::string_view kNames[] = {"debug", "info", "warn", "error", "off"};

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                     milliseconds);
}

void append_value(const LogValue& value, bool quote_plain, std::string& line) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    const bool plain =
        !quote_plain && !text->empty() && text->find_first_of(" \"\\=\t\n\r") == std::string_view::npos;
    if (!plain) line += '"';
    json_escape(*text, line);
    if (!plain) line += '"';
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    line += std::to_string(*integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    line += std::isfinite(*real) ? fmt::format("{:.6g}", *real) : "null";
  } else {
    line += std::get<bool>(value) ? "true" : "false";
  }
}

std::string json_line(std::string_view level, std::string_view event,
                      std::initializer_list<LogField> fields) {
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","event":")", timestamp(), level);
  json_escape(event, line);
  line += '"';
  for (const LogField& field : fields) {
    line += ",\"";
    json_escape(field.key, line);
    line += "\":";
    append_value(field.value, true, line);
  }
  line += "}\n";
  return line;
}

std::string text_line(std::string_view level, std::string_view event,
                      std::initializer_list<LogField> fields) {
  std::string line = fmt::format("{} {:<5} {}", timestamp(), level, event);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(field.value, false, line);
  }
  line += '\n';
  return line;
}

}  // namespace

Log::Log(LogLevel level, LogFormat format, int descriptor)
    : level_(level), format_(format), descriptor_(descriptor) {}

void Log::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!enabled(level) || level >= LogLevel::off) return;
  const std::string_view name = kNames[static_cast<std::size_t>(level)];
  // A log that cannot be written must not stop the work; there is nowhere left to report it.
  try {
    const std::string line =
        format_ == LogFormat::json ? json_line(name, event, fields) : text_line(name, event, fields);
    [[maybe_unused]] const auto written = ::write(descriptor_, line.data(), line.size());
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace pensieve::util
