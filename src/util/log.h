// Log: structured lines on standard error, JSON or text, each with level, event and named fields.
// Not a global: it is passed to whoever logs. Secrets and prompts are never given to it.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace pensieve::util {

enum class LogLevel : std::uint8_t { debug, info, warn, error, off };
enum class LogFormat : std::uint8_t { text, json };

using LogValue = std::variant<std::string_view, std::int64_t, double, bool>;
struct LogField {
  std::string_view key;
  LogValue value;
};

// Thread rule: any thread; a line is written whole, in one call to the operating system.
class Log {
 public:
  explicit Log(LogLevel level = LogLevel::info, LogFormat format = LogFormat::text, int descriptor = 2);
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  // `event` is a stable snake_case word; what varies goes into fields (control characters are escaped).
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

 private:
  std::atomic<LogLevel> level_;
  LogFormat format_;
  int descriptor_;
};

}  // namespace pensieve::util
