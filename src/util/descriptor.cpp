// See descriptor.h; apart, so that the header needs nothing of the system's.
#include "util/descriptor.h"

#include <unistd.h>

namespace pensieve::util {

void Descriptor::close() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

}  // namespace pensieve::util
