// Router: from method and path to an endpoint. Paths match exactly, byte for byte after percent-decoding of
// each segment: another case or a doubled slash is another path, so nothing can be reached around the key.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/endpoint.h"

namespace pensieve::server {

struct Route {
  const Endpoint* endpoint = nullptr;  // null: no endpoint for this method and path
  std::string_view pattern;            // for logs and metrics; empty when the path is unknown
  std::vector<Header> parameters;
  std::string allow;  // methods of the path, as in the header; empty when the path is unknown
};

// HEAD finds the endpoint of GET.
Route find_route(std::span<const Endpoint* const> table, std::string_view method, std::string_view path);

}  // namespace pensieve::server
