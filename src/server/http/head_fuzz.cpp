// Fuzzes what reads HTTP from strangers: heads, then bodies by length or in chunks, in pieces of any size.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "server/http/body_reader.h"
#include "server/http/head.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 64;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const pensieve::server::HeadLimits limits{.bytes = 4096, .target = 1024};
  std::size_t scanned = 0, head_size = 0;
  for (std::size_t end = std::min(step, input.size()); head_size == 0;
       end = std::min(end + step, input.size())) {
    const auto found = pensieve::server::find_head(input.substr(0, end), scanned, limits);
    if (!found) return 0;
    head_size = *found;
    if (end == input.size()) break;
  }
  if (head_size == 0) return 0;
  const auto head = pensieve::server::parse_head(input.substr(0, head_size), limits);
  if (!head) return 0;
  auto reader = pensieve::server::BodyReader::open(input.substr(0, head_size), 4096);
  std::string_view rest = input.substr(head_size);
  while (reader && !reader->done() && !rest.empty()) {
    const auto taken = reader->feed(rest);
    if (!taken || *taken == 0) break;
    rest.remove_prefix(*taken);
  }
  if (reader && reader->done() && reader->take().size() > 4096) __builtin_trap();
  return 0;
}
