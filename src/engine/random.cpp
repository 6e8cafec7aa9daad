// The one place where chance enters: a seed for requests that bring none.
// Not for drawing tokens: those use random_at.
#include "engine/random.h"

#include <random>

namespace pensieve::engine {

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace pensieve::engine
