// RequestCounts: how many requests were answered, by route pattern, method and status. Labels come from our
// own tables only, so their number is bounded whatever is asked for.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

namespace pensieve::server {

// Thread rule: any thread.
class RequestCounts {
 public:
  // `pattern`: of the route, empty for unknown paths. Methods that no endpoint has count as "other".
  void add(std::string_view pattern, std::string_view method, int status);
  // Appends the family http_requests_total in Prometheus' text format.
  void write(std::string& out) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::tuple<std::string, std::string, int>, std::uint64_t> counts_;  // guarded by mutex_
};

}  // namespace pensieve::server
