// See request_counts.h.
#include "server/request_counts.h"

#include <algorithm>
#include <array>

#include "server/exposition.h"

namespace pensieve::server {
namespace {

constexpr std::array kBounds{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0};

}  // namespace

void RequestCounts::add(std::string_view pattern, std::string_view method, int status,
                        std::chrono::nanoseconds took) {
  constexpr std::array<std::string_view, 7> kMethods{"GET",   "HEAD",   "POST",   "PUT",
                                                     "PATCH", "DELETE", "OPTIONS"};
  const bool known = std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
  const std::string handler(pattern.empty() ? "unknown" : pattern);
  const std::lock_guard lock(mutex_);
  ++counts_[{handler, std::string(known ? method : "other"), status}];
  auto& durations = durations_[handler];
  if (!durations) durations = std::make_unique<manage::LatencyHistogram>(kBounds);
  durations->add(took);
}

void RequestCounts::write(Exposition& out) const {
  const std::lock_guard lock(mutex_);
  out.family("http_requests_total", "counter", "Requests answered.");
  for (const auto& [labels, count] : counts_) {
    const auto& [handler, method, status] = labels;
    out.sample({{"handler", handler}, {"method", method}, {"status", std::to_string(status)}},
               static_cast<double>(count));
  }
  out.family("http_request_duration_seconds", "histogram",
             "From a request's first byte to its reply's last.");
  for (const auto& [handler, durations] : durations_)
    out.histogram({{"handler", handler}}, durations->read());
}

}  // namespace pensieve::server
