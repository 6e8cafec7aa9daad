// See random_id.h.
#include "server/random_id.h"

#include <random>

namespace pensieve::server {

std::string random_id(std::string_view prefix, std::size_t length) {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::random_device source;
  std::uniform_int_distribution<std::size_t> pick(0, kLetters.size() - 1);
  std::string out(prefix);
  for (std::size_t i = 0; i < length; ++i) out += kLetters[pick(source)];
  return out;
}

}  // namespace pensieve::server
