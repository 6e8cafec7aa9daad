// Time for templates: broken-down local time from a fixed text or the system's clock, and strftime on it.
// No time zones: templates get naive times, as in Python's datetime.now().
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "core/result.h"

namespace pensieve::model::jinja {

// "YYYY-MM-DD HH:MM:SS"; anything else is refused.
Result<std::tm> parse_time(std::string_view text);
std::tm local_time();
// The directives of strftime, each at most a few bytes of output; unknown ones are kept as they stand.
std::string format_time(const std::tm& time, std::string_view format);

}  // namespace pensieve::model::jinja
