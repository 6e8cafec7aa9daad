// Clients of other makers that `pensieve launch` starts: how each is told of this server, by its environment
// and its arguments alone. No file of theirs is touched: a client that is started without us is as it was.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pensieve::tools {

// What a client must know.
struct ServedModel {
  std::string url;  // without a path
  std::string key;  // never empty: most clients insist on one
  std::string model;
  std::int64_t context = 0;  // tokens of one request; 0: unknown
};

struct Launch {
  std::vector<std::pair<std::string, std::optional<std::string>>> environment;  // nothing: is taken away
  std::vector<std::string> arguments;                                           // before the user's own
};

struct Client {
  std::string_view name;     // on our command line
  std::string_view program;  // on the PATH
  std::string_view install;  // how to get it
  Launch (*plan)(const ServedModel& served);
};

std::span<const Client> clients();

}  // namespace pensieve::tools
