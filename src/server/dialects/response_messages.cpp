// Items as the conversation that they mean, and reasoning wrapped for clients that hand it back unread.
#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "server/dialects/response_items.h"
#include "util/unicode.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kMark = "pensieve reasoning 1\n";

// Items come from a file too, so nothing is taken for granted here.
std::string text_at(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Texts of parts, each a block of its own.
std::string joined(const Json& item, const char* field) {
  const auto list = item.find(field);
  if (list == item.end()) return {};
  if (list->is_string()) return list->get<std::string>();
  std::string all;
  if (!list->is_array()) return all;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& part = (*list)[i];
    if (i > 0) all += '\n';
    all += text_at(part, text_at(part, "type") == "refusal" ? "refusal" : "text");
  }
  return all;
}

std::string reasoning_of(const Json& item) {
  if (std::string text = joined(item, "content"); !text.empty()) return text;
  if (auto text = unwrap_reasoning(text_at(item, "encrypted_content"))) return std::move(*text);
  return joined(item, "summary");
}

class Conversation {
 public:
  void add(const Json& item) {
    const std::string type = text_at(item, "type");
    if (type == "reasoning") {
      add_reasoning(reasoning_of(item));
    } else if (type == "function_call") {
      if (!open_) begin();
      messages_.back().tool_calls.push_back(
          {text_at(item, "call_id"), text_at(item, "name"), text_at(item, "arguments")});
      if (messages_.back().tool_calls.back().arguments.empty())
        messages_.back().tool_calls.back().arguments = "{}";
    } else if (type == "function_call_output") {
      open_ = false;
      messages_.push_back(
          {.role = "tool", .content = joined(item, "output"), .tool_call_id = text_at(item, "call_id")});
    } else {
      add_message(text_at(item, "role"), joined(item, "content"));
    }
  }
  std::vector<ChatMessage> take() {
    // Who only thought said nothing: templates print the absence of content in strange ways.
    for (ChatMessage& message : messages_) {
      if (!message.content && message.tool_calls.empty()) message.content = "";
    }
    return std::move(messages_);
  }

 private:
  void begin() {
    messages_.push_back({.role = "assistant"});
    open_ = true;
  }
  void add_reasoning(const std::string& text) {
    if (text.empty()) return;
    if (!open_ || messages_.back().content || !messages_.back().tool_calls.empty()) begin();
    std::string& all = messages_.back().reasoning_content;
    if (!all.empty()) all += '\n';
    all += text;
  }
  void add_message(const std::string& role, std::string content) {
    if (role == "assistant") {
      if (!open_ || messages_.back().content || !messages_.back().tool_calls.empty()) begin();
      messages_.back().content = std::move(content);
      return;
    }
    open_ = false;
    messages_.push_back({.role = role == "developer" ? "system" : role, .content = std::move(content)});
  }

  std::vector<ChatMessage> messages_;
  bool open_ = false;  // the last message is an assistant's that may go on
};

}  // namespace

std::vector<ChatMessage> messages_of(const Json& items) {
  Conversation conversation;
  for (const Json& item : items) {
    if (item.is_object()) conversation.add(item);
  }
  return conversation.take();
}

std::string wrap_reasoning(std::string_view text) {
  const std::string plain = std::string(kMark).append(text);
  std::string wrapped(4 * ((plain.size() + 2) / 3) + 1, '\0');  // and the NUL that OpenSSL writes
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(wrapped.data()),
                      reinterpret_cast<const unsigned char*>(plain.data()), static_cast<int>(plain.size()));
  wrapped.resize(static_cast<std::size_t>(size));
  return wrapped;
}

std::optional<std::string> unwrap_reasoning(std::string_view wrapped) {
  if (wrapped.size() < 4 || wrapped.size() > (1U << 30)) return std::nullopt;
  std::string plain(wrapped.size() / 4 * 3 + 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(plain.data()),
                                   reinterpret_cast<const unsigned char*>(wrapped.data()),
                                   static_cast<int>(wrapped.size()));
  if (size < 0) return std::nullopt;
  const std::size_t padding =
      (wrapped.back() == '=' ? 1U : 0U) + (wrapped[wrapped.size() - 2] == '=' ? 1U : 0U);
  plain.resize(static_cast<std::size_t>(size) -
               std::min<std::size_t>(padding, static_cast<std::size_t>(size)));
  if (!plain.starts_with(kMark)) return std::nullopt;
  return util::repair_utf8(std::string_view(plain).substr(kMark.size()));
}

}  // namespace pensieve::server
