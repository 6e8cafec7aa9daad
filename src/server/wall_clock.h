// The time of day as the APIs tell it. Not for measuring: that is std::chrono::steady_clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace pensieve::server {

// Since 1970, UTC.
inline std::int64_t seconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace pensieve::server
