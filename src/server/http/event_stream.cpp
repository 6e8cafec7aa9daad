// See event_stream.h.
#include "server/http/event_stream.h"

#include <array>
#include <charconv>

namespace pensieve::server {

void append_event(std::string_view name, std::string_view data, std::string& out) {
  if (!name.empty()) {
    out += "event: ";
    out += name;
    out += '\n';
  }
  while (true) {
    const std::size_t end = data.find('\n');
    out += "data: ";
    out += data.substr(0, end);
    out += '\n';
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + 1);
  }
  out += '\n';
}

void append_chunk(std::string_view bytes, std::string& out) {
  std::array<char, 20> size{};
  const auto written = std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16);
  out.append(size.data(), written.ptr);
  out += "\r\n";
  out += bytes;
  out += "\r\n";
}

}  // namespace pensieve::server
