// Head: the request line and header fields of HTTP/1.1, read strictly. Whatever two parsers could understand
// differently (bare LF, obs-fold, two lengths, a length beside chunks) is refused, so that nothing can be
// smuggled behind a proxy. Not the body: http/body_reader.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "server/exchange.h"

namespace pensieve::server {

// A request that is answered before any endpoint sees it.
struct Refusal {
  int status = 400;
  std::string message;
  std::string code = {};
  std::vector<Header> headers = {};
};

struct Head {
  Request request;
  std::string method;  // as sent: HEAD stays HEAD
  std::string target;
  bool keep_alive = true;
  bool version_1_0 = false;
  bool chunked = false;
  bool expects_continue = false;
  std::size_t content_length = 0;
};

struct HeadLimits {
  std::size_t bytes = 64 << 10;   // the whole head: 431
  std::size_t target = 16 << 10;  // the request target: 414
};

// The size of the head at the front of `input`, its empty line included; 0: more bytes are needed. `scanned`
// remembers how far an earlier call looked.
tl::expected<std::size_t, Refusal> find_head(std::string_view input, std::size_t& scanned, HeadLimits limits);
// `bytes` is a whole head as found by find_head.
tl::expected<Head, Refusal> parse_head(std::string_view bytes, HeadLimits limits);

}  // namespace pensieve::server
