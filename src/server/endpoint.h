// Endpoint: one thing clients can ask for. One file in endpoints/ each, listed by a generated table.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "server/exchange.h"
#include "server/task.h"

namespace pensieve::server {

struct Context;

enum class Access : std::uint8_t { key, everybody };  // deny by default: a key where the server has one

struct Endpoint {
  std::string_view method;
  // Fixed segments and "{name}" for one segment or, last, "{name...}" for the rest, slashes included.
  std::span<const std::string_view> paths;
  // Replies exactly once through the exchange. Runs on the exchange's executor and must not block it.
  Task<void> (*handle)(Exchange& exchange, Context& context);
  Access access = Access::key;
};

std::span<const Endpoint* const> endpoints();

}  // namespace pensieve::server
