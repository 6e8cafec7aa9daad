// RequestCounts: how many requests were answered, by route pattern, method and status, and how long they
// took. Labels come from our own tables only, so their number is bounded whatever is asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "manage/model_counters.h"

namespace pensieve::server {

class Exposition;

// Thread rule: any thread.
class RequestCounts {
 public:
  // `pattern`: of the route, empty for unknown paths. Methods that no endpoint has count as "other".
  void add(std::string_view pattern, std::string_view method, int status, std::chrono::nanoseconds took);
  // Appends http_requests_total and http_request_duration_seconds.
  void write(Exposition& out) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::tuple<std::string, std::string, int>, std::uint64_t> counts_;  // guarded by mutex_
  std::map<std::string, std::unique_ptr<manage::LatencyHistogram>, std::less<>>
      durations_;  // guarded by mutex_
};

}  // namespace pensieve::server
