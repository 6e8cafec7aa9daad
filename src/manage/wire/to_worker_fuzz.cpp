// Fuzzes what a worker reads: any bytes become whole messages or an error, and a message that was read is
// written and read again as the same one.
#include <cstdlib>
#include <cstring>
#include <string>

#include "manage/wire/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pensieve::manage::wire::FrameBuffer buffer;
  std::memcpy(buffer.room(size + 1), data, size);
  buffer.filled(size);
  for (auto frame = buffer.next(); frame && *frame; frame = buffer.next()) {
    const auto message = pensieve::manage::wire::read_to_worker(**frame);
    if (!message) continue;
    std::string once, twice;
    if (!pensieve::manage::wire::append_frame(*message, once)) continue;
    const auto again = pensieve::manage::wire::read_to_worker(std::string_view(once).substr(4));
    if (!again || !pensieve::manage::wire::append_frame(*again, twice) || once != twice) std::abort();
  }
  return 0;
}
