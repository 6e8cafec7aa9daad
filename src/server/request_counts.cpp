// See request_counts.h.
#include "server/request_counts.h"

#include <algorithm>
#include <array>

namespace pensieve::server {

void RequestCounts::add(std::string_view pattern, std::string_view method, int status) {
  constexpr std::array<std::string_view, 7> kMethods{"GET",   "HEAD",   "POST",   "PUT",
                                                     "PATCH", "DELETE", "OPTIONS"};
  const bool known = std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
  const std::lock_guard lock(mutex_);
  ++counts_[{std::string(pattern.empty() ? "unknown" : pattern), std::string(known ? method : "other"),
             status}];
}

void RequestCounts::write(std::string& out) const {
  out += "# HELP http_requests_total Requests answered.\n# TYPE http_requests_total counter\n";
  const std::lock_guard lock(mutex_);
  for (const auto& [labels, count] : counts_) {
    out += "http_requests_total{handler=\"" + std::get<0>(labels) + "\",method=\"" + std::get<1>(labels) +
           "\",status=\"" + std::to_string(std::get<2>(labels)) + "\"} " + std::to_string(count) + "\n";
  }
}

}  // namespace pensieve::server
