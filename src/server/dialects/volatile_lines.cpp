// See volatile_lines.h.
#include "server/dialects/volatile_lines.h"

#include <algorithm>
#include <string_view>
#include <variant>

namespace pensieve::server {
namespace {

std::string steady(std::string_view text, std::span<const std::string> names) {
  std::string out;
  while (true) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    for (const std::string& name : names) {
      if (!name.empty() && line.starts_with(name)) line = line.substr(0, name.size());
    }
    out += line;
    if (end == text.size()) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

}  // namespace

void steady_lines(std::span<const std::string> names, GenerationRequest& request) {
  auto* chat = std::get_if<ChatRequest>(&request.prompt);
  if (chat == nullptr) return;
  for (ChatMessage& message : chat->messages) {
    if (message.role != "system" || !message.content) continue;
    const bool concerned = std::any_of(names.begin(), names.end(), [&message](const std::string& name) {
      return message.content->find(name) != std::string::npos;
    });
    if (concerned) message.content = steady(*message.content, names);
  }
}

}  // namespace pensieve::server
