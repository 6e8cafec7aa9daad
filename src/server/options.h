// Options of the API server: where it listens, who may ask, and the limits on what they send.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/option.h"

namespace pensieve::server {

struct Options {
  std::string host = "127.0.0.1";
  std::int64_t port = 7777;
  std::vector<std::string> api_key;
  std::vector<std::string> allowed_host;
  std::int64_t max_body_bytes = 16 << 20;
  std::int64_t max_header_bytes = 64 << 10;
  std::int64_t max_connections = 1024;
  std::int64_t header_timeout = 15;
  std::int64_t body_timeout = 60;
  std::int64_t idle_timeout = 120;
  std::int64_t write_timeout = 60;
  std::int64_t http_threads = 1;
  std::int64_t drain_timeout = 30;
  std::int64_t drain_delay = 0;
  std::int64_t resume_timeout = 300;
  std::int64_t resume_bytes = 64 << 20;
  std::string session_file;
  std::int64_t response_count = 10'000;
  std::int64_t response_bytes = 256 << 20;
  std::vector<std::string> volatile_line{"x-anthropic-billing-header:"};
  bool test_endpoints = false;
};

inline constexpr std::array kOptions{
    Option<Options>{.key = "host",
                    .member = &Options::host,
                    .help = "address to listen on; a public one needs an API key"},
    Option<Options>{.key = "port",
                    .member = &Options::port,
                    .help = "HTTP port; 0: a free one",
                    .minimum = 0,
                    .maximum = 65535},
    Option<Options>{.key = "api_key",
                    .member = &Options::api_key,
                    .help = "key that clients must send as bearer token; may be repeated",
                    .live = true,
                    .secret = true},
    Option<Options>{.key = "allowed_host",
                    .member = &Options::allowed_host,
                    .help = "further Host names to accept (guards against DNS rebinding); may be repeated",
                    .live = true},
    Option<Options>{.key = "max_body_bytes",
                    .member = &Options::max_body_bytes,
                    .help = "largest request body",
                    .unit = "bytes",
                    .minimum = 1024,
                    .maximum = 1LL << 32,
                    .live = true},
    Option<Options>{.key = "max_header_bytes",
                    .member = &Options::max_header_bytes,
                    .help = "largest request head",
                    .unit = "bytes",
                    .minimum = 1024,
                    .maximum = 1 << 24,
                    .live = true},
    Option<Options>{.key = "max_connections",
                    .member = &Options::max_connections,
                    .help = "open connections; further ones are refused",
                    .minimum = 1,
                    .maximum = 1 << 20,
                    .live = true},
    Option<Options>{.key = "header_timeout",
                    .member = &Options::header_timeout,
                    .help = "time for a request head to arrive",
                    .unit = "seconds",
                    .minimum = 1,
                    .maximum = 3600,
                    .live = true},
    Option<Options>{.key = "body_timeout",
                    .member = &Options::body_timeout,
                    .help = "time for a request body to arrive",
                    .unit = "seconds",
                    .minimum = 1,
                    .maximum = 86400,
                    .live = true},
    Option<Options>{.key = "idle_timeout",
                    .member = &Options::idle_timeout,
                    .help = "silence after which an idle connection is closed",
                    .unit = "seconds",
                    .minimum = 1,
                    .maximum = 86400,
                    .live = true},
    Option<Options>{.key = "write_timeout",
                    .member = &Options::write_timeout,
                    .help = "time a client may take to read what was sent",
                    .unit = "seconds",
                    .minimum = 1,
                    .maximum = 86400,
                    .live = true},
    Option<Options>{.key = "http_threads",
                    .member = &Options::http_threads,
                    .help = "threads that serve connections",
                    .minimum = 1,
                    .maximum = 256},
    Option<Options>{.key = "drain_delay",
                    .member = &Options::drain_delay,
                    .help =
                        "time after SIGTERM in which the port stays open even with nothing to finish, for "
                        "balancers to notice /readyz",
                    .unit = "seconds",
                    .minimum = 0,
                    .maximum = 3600,
                    .live = true},
    Option<Options>{.key = "drain_timeout",
                    .member = &Options::drain_timeout,
                    .help = "time running requests get to finish after SIGTERM",
                    .unit = "seconds",
                    .minimum = 0,
                    .maximum = 3600,
                    .live = true},
    Option<Options>{.key = "resume_timeout",
                    .member = &Options::resume_timeout,
                    .help = "time a resumable generation is kept after its end or a lost connection",
                    .unit = "seconds",
                    .minimum = 1,
                    .maximum = 86400},
    Option<Options>{.key = "resume_bytes",
                    .member = &Options::resume_bytes,
                    .help = "memory for kept events; beyond it the oldest are forgotten",
                    .unit = "bytes",
                    .minimum = 0,
                    .maximum = 1LL << 36},
    Option<Options>{.key = "session_file",
                    .member = &Options::session_file,
                    .help = "where sessions and responses are kept (SQLite); empty: ~/.pensieve/sessions.db"},
    Option<Options>{.key = "response_count",
                    .member = &Options::response_count,
                    .help = "answers of /v1/responses kept for each key; the oldest make room",
                    .minimum = 1,
                    .maximum = 1 << 30},
    Option<Options>{.key = "response_bytes",
                    .member = &Options::response_bytes,
                    .help = "space for them, for each key; the oldest make room",
                    .unit = "bytes",
                    .minimum = 1 << 16,
                    .maximum = 1LL << 40},
    Option<Options>{.key = "volatile_line",
                    .member = &Options::volatile_line,
                    .help =
                        "lines of system prompts that begin so change all the time: only these words reach "
                        "the model, so that the prompt cache holds; may be repeated",
                    .live = true},
    Option<Options>{.key = "test_endpoints",
                    .member = &Options::test_endpoints,
                    .help = "also serve /_ws/echo, for conformance tests of WebSocket"},
};

}  // namespace pensieve::server
