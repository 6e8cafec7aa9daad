// Linear search: there are a few dozen patterns, and a request costs far more elsewhere.
#include "server/router.h"

#include <optional>

namespace pensieve::server {
namespace {

// Cuts the first segment (up to the next '/') off `rest`, which begins with '/'.
std::string_view next_segment(std::string_view& rest) {
  rest.remove_prefix(1);
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(end);
  return segment;
}

std::optional<std::vector<Header>> match(std::string_view pattern, std::string_view path) {
  std::vector<Header> parameters;
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = next_segment(pattern);
    const std::string_view whole_rest = path.substr(1);
    const std::string_view given = next_segment(path);
    const bool variable = wanted.size() > 2 && wanted.front() == '{';
    const bool rest = variable && wanted.ends_with("...}");
    const auto decoded = percent_decode(rest ? whole_rest : given);
    if (!decoded) return std::nullopt;
    if (!variable) {
      if (*decoded != wanted) return std::nullopt;
      continue;
    }
    if (decoded->empty()) return std::nullopt;
    const std::string_view name = wanted.substr(1, wanted.size() - (rest ? 5 : 2));
    parameters.push_back({std::string(name), *decoded});
    if (rest) return parameters;
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return parameters;
}

}  // namespace

Route find_route(std::span<const Endpoint* const> table, std::string_view method, std::string_view path) {
  Route route;
  if (!path.starts_with('/')) return route;
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Endpoint* endpoint : table) {
    for (const std::string_view pattern : endpoint->paths) {
      auto parameters = match(pattern, path);
      if (!parameters) continue;
      route.pattern = pattern;
      if (route.allow.find(endpoint->method) == std::string::npos) {
        route.allow += (route.allow.empty() ? "" : ", ") + std::string(endpoint->method);
        if (endpoint->method == "GET") route.allow += ", HEAD";
      }
      if (endpoint->method == wanted && route.endpoint == nullptr) {
        route.endpoint = endpoint;
        route.parameters = std::move(*parameters);
      }
    }
  }
  return route;
}

}  // namespace pensieve::server
