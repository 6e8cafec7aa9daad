// ServerClient: asks a running Pensieve over HTTP, for the verbs that look after one (ps, load, unload).
// Plain requests with whole answers. Not a general HTTP client: no redirects, no TLS, no streams.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "server/options.h"
#include "util/json.h"

namespace pensieve::tools {

class ServerClient {
 public:
  // Asks where a server with these options would listen; a wildcard address means this machine.
  explicit ServerClient(const server::Options& options);

  // The body of a success, parsed. Errors: `unavailable` with reason "server_unreachable" when nobody
  // answers, else what the server said was wrong.
  Result<util::Json> get(std::string_view path) const { return ask("GET", path, ""); }
  Result<util::Json> post(std::string_view path, const util::Json& body) const {
    return ask("POST", path, util::to_json(body));
  }
  std::string url() const;

 private:
  Result<util::Json> ask(std::string_view method, std::string_view path, const std::string& body) const;
  Result<int> connect() const;
  Error unreachable(const std::string& why) const;

  std::string host_, key_;
  std::int64_t port_;
};

// One segment of a path: everything but letters, digits and "-._~" escaped.
std::string escape_segment(std::string_view text);

}  // namespace pensieve::tools
