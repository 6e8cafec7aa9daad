// Options of logging: how much, and in which form.
#pragma once

#include <array>
#include <string>

#include "core/option.h"

namespace pensieve::manage {

struct LogOptions {
  std::string level = "info";
  std::string format = "text";
};

inline constexpr std::array<std::string_view, 5> kLogLevels{"debug", "info", "warn", "error", "off"};
inline constexpr std::array<std::string_view, 2> kLogFormats{"text", "json"};
inline constexpr std::array kLogOptions{
    Option<LogOptions>{.key = "level",
                       .member = &LogOptions::level,
                       .help = "least severe lines that are written",
                       .allowed = kLogLevels,
                       .live = true},
    Option<LogOptions>{.key = "format",
                       .member = &LogOptions::format,
                       .help = "form of log lines on standard error",
                       .allowed = kLogFormats},
};

}  // namespace pensieve::manage
