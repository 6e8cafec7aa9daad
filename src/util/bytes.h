// Byte counts as people read them in messages. Not for terminals' tables: tools/terminal.h chooses units.
#pragma once

namespace pensieve::util {

constexpr double mebibytes(double bytes) {
  return bytes / (1024.0 * 1024.0);
}

}  // namespace pensieve::util
