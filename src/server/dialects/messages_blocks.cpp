// See messages_blocks.h. Blocks: the Messages API reference.
#include "server/dialects/messages_blocks.h"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace pensieve::server {
namespace {

tl::unexpected<Error> missing(const std::string& field, std::string_view what) {
  return fail(Error::Code::invalid, fmt::format("{} is missing: {}", field, what), field);
}

// Checks what all blocks share.
Result<std::string> block_type(const Json& block, const std::string& where) {
  if (!block.is_object()) return wrong_field(where, "an object with a 'type'", block);
  const Json* type = find_field(block, "type");
  if (type == nullptr) return missing(where + ".type", "such as 'text'");
  if (!type->is_string()) return wrong_field(where + ".type", "a string", *type);
  if (auto checked = check_cache_control(block, where + "."); !checked)
    return tl::unexpected(std::move(checked.error()));
  return type->get<std::string>();
}

tl::unexpected<Error> cannot_take(const std::string& type, const std::string& where) {
  if (type == "image" || type == "document") {
    return fail(Error::Code::unsupported,
                fmt::format("{}.type: '{}' needs a model for images or documents; this one reads text only",
                            where, type),
                where + ".type");
  }
  return fail(Error::Code::invalid,
              fmt::format("{}.type: '{}' is not possible here", where, type.substr(0, 60)), where + ".type");
}

Result<std::string> needed_text(const Json& block, const std::string& where, std::string_view key) {
  const std::string field = where + "." + std::string(key);
  const Json* text = find_field(block, key);
  if (text == nullptr) return missing(field, "a block of that type needs it");
  if (!text->is_string()) return wrong_field(field, "a string", *text);
  return text->get<std::string>();
}

void append_line(const std::string& text, std::string& all) {
  if (!all.empty()) all += '\n';
  all += text;
}

// A string, or blocks of text only.
Result<std::string> read_text(const Json& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return wrong_field(where, "a string or a list of blocks", content);
  std::string all;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", where, i);
    const auto type = block_type(content[i], place);
    if (!type) return tl::unexpected(type.error());
    if (*type != "text") return cannot_take(*type, place);
    auto text = needed_text(content[i], place, "text");
    if (!text) return text;
    if (i > 0) all += '\n';  // blocks are separate: words at their borders must not grow together
    all += *text;
  }
  return all;
}

// {"type":"search_result","source","title","content":[text blocks]} as lines.
Result<std::string> read_search_result(const Json& block, const std::string& where) {
  std::string all;
  for (const char* key : {"title", "source"}) {
    auto text = needed_text(block, where, key);
    if (!text) return text;
    append_line(*text, all);
  }
  const Json* content = find_field(block, "content");
  if (content == nullptr) return missing(where + ".content", "a list of text blocks");
  auto text = read_text(*content, where + ".content");
  if (!text) return text;
  append_line(*text, all);
  return all;
}

// A document whose source is text; others (a PDF, a URL, a file kept elsewhere) cannot be read here.
Result<std::string> read_document(const Json& block, const std::string& where) {
  const Json* source = find_field(block, "source");
  if (source == nullptr) return missing(where + ".source", "what the document says");
  const auto type = block_type(*source, where + ".source");
  if (!type) return type;
  std::string all;
  for (const char* key : {"title", "context"}) {
    const Json* text = find_field(block, key);
    if (text == nullptr) continue;
    if (!text->is_string()) return wrong_field(where + "." + key, "a string", *text);
    append_line(text->get_ref<const std::string&>(), all);
  }
  if (*type != "text" && *type != "content") {
    return fail(
        Error::Code::unsupported,
        fmt::format("{}.source.type: only documents of 'text' and 'content' can be read here, not '{}'",
                    where, type->substr(0, 60)),
        where + ".source.type");
  }
  Result<std::string> text;
  if (*type == "text") {
    text = needed_text(*source, where + ".source", "data");
  } else if (const Json* content = find_field(*source, "content")) {
    text = read_text(*content, where + ".source.content");
  } else {
    return missing(where + ".source.content", "a string or a list of text blocks");
  }
  if (!text) return text;
  append_line(*text, all);
  return all;
}

// A block that a user or a tool may send, as text.
Result<std::string> read_given(const Json& block, const std::string& type, const std::string& where) {
  if (type == "text") return needed_text(block, where, "text");
  if (type == "search_result") return read_search_result(block, where);
  if (type == "document") return read_document(block, where);
  return cannot_take(type, where);
}

// What a tool gave back: a string, or blocks.
Result<std::string> read_result_text(const Json& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return wrong_field(where, "a string or a list of blocks", content);
  std::string all;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", where, i);
    const auto type = block_type(content[i], place);
    if (!type) return tl::unexpected(type.error());
    // A tool that was found: it is among the tools all the time.
    auto text = *type == "tool_reference" ? needed_text(content[i], place, "tool_name")
                                          : read_given(content[i], *type, place);
    if (!text) return text;
    if (i > 0) all += '\n';
    all += *text;
  }
  return all;
}

// Turns one message's blocks into messages: results of tools are messages of their own.
class Reader {
 public:
  Result<> read(const Json& value, std::size_t index) {
    const std::string where = fmt::format("messages[{}]", index);
    if (!value.is_object()) return wrong_field(where, "an object", value);
    const Json* role = find_field(value, "role");
    if (role == nullptr) return missing(where + ".role", "user, assistant or system");
    if (*role != "user" && *role != "assistant" && *role != "system")
      return wrong_field(where + ".role", "user, assistant or system", *role);
    open_ = ChatMessage{};
    open_.role = role->get<std::string>();
    const Json* content = find_field(value, "content");
    if (content == nullptr) return missing(where + ".content", "a string or a list of blocks");
    if (content->is_string()) {
      add_text(content->get<std::string>());
    } else if (!content->is_array()) {
      return wrong_field(where + ".content", "a string or a list of blocks", *content);
    } else {
      for (std::size_t i = 0; i < content->size(); ++i) {
        if (auto done = read_block((*content)[i], fmt::format("{}.content[{}]", where, i)); !done)
          return done;
      }
      if (content->empty()) add_text("");
    }
    flush();
    return {};
  }
  void add_system(std::string text) {
    ChatMessage message;
    message.role = "system";
    message.content = std::move(text);
    messages_.push_back(std::move(message));
  }
  std::vector<ChatMessage> take() { return std::move(messages_); }

 private:
  // An answer's blocks are pieces of one text: it comes back as it was generated.
  void add_text(std::string text) {
    if (!open_.content) {
      open_.content = std::move(text);
      return;
    }
    if (open_.role != "assistant") *open_.content += '\n';
    *open_.content += text;
  }

  void flush() {
    const bool said = open_.content || !open_.tool_calls.empty() || !open_.reasoning_content.empty();
    std::string role = open_.role;
    if (said) messages_.push_back(std::move(open_));
    open_ = ChatMessage{};
    open_.role = std::move(role);
  }

  Result<> read_block(const Json& block, const std::string& where) {
    const auto type = block_type(block, where);
    if (!type) return tl::unexpected(type.error());
    if (open_.role == "assistant") return read_said(block, *type, where);
    if (*type == "tool_result" && open_.role == "user") return read_result(block, where);
    auto text = read_given(block, *type, where);
    if (!text) return tl::unexpected(std::move(text.error()));
    add_text(std::move(*text));
    return {};
  }

  // A block of an earlier answer.
  Result<> read_said(const Json& block, const std::string& type, const std::string& where) {
    if (type == "tool_use") return read_use(block, where);
    if (type == "redacted_thinking") return {};  // sealed: nobody here can read it
    if (type != "text" && type != "thinking") return cannot_take(type, where);
    auto text = needed_text(block, where, type);
    if (!text) return tl::unexpected(std::move(text.error()));
    if (type == "text") {
      add_text(std::move(*text));
    } else {
      open_.reasoning_content += *text;
    }
    return {};
  }

  Result<> read_use(const Json& block, const std::string& where) {
    auto id = needed_text(block, where, "id");
    if (!id) return tl::unexpected(std::move(id.error()));
    auto name = needed_text(block, where, "name");
    if (!name) return tl::unexpected(std::move(name.error()));
    const Json* input = find_field(block, "input");
    if (input && !input->is_object()) return wrong_field(where + ".input", "an object", *input);
    names_[*id] = *name;
    open_.tool_calls.push_back({std::move(*id), std::move(*name), input ? util::to_json(*input) : "{}"});
    return {};
  }

  Result<> read_result(const Json& block, const std::string& where) {
    auto id = needed_text(block, where, "tool_use_id");
    if (!id) return tl::unexpected(std::move(id.error()));
    const Json* failed = find_field(block, "is_error");
    if (failed && !failed->is_boolean()) return wrong_field(where + ".is_error", "true or false", *failed);
    std::string text;
    if (const Json* content = find_field(block, "content")) {
      auto read = read_result_text(*content, where + ".content");
      if (!read) return tl::unexpected(std::move(read.error()));
      text = std::move(*read);
    }
    flush();
    ChatMessage message;
    message.role = "tool";
    message.content = (failed && failed->get<bool>() ? "Error: " : "") + text;
    message.tool_call_id = *id;
    if (const auto known = names_.find(*id); known != names_.end()) message.name = known->second;
    messages_.push_back(std::move(message));
    return {};
  }

  std::vector<ChatMessage> messages_;
  ChatMessage open_;
  std::map<std::string, std::string> names_;  // of tools, by the id of their use
};

}  // namespace

Result<> check_cache_control(const Json& holder, const std::string& where) {
  const Json* mark = find_field(holder, "cache_control");
  if (mark == nullptr) return {};
  const std::string field = where + "cache_control";
  if (!mark->is_object()) return wrong_field(field, "an object such as {\"type\":\"ephemeral\"}", *mark);
  const Json* type = find_field(*mark, "type");
  if (type == nullptr || *type != "ephemeral")
    return wrong_field(field + ".type", "'ephemeral'", type ? *type : Json());
  const Json* life = find_field(*mark, "ttl");
  if (life && !life->is_string()) return wrong_field(field + ".ttl", "a duration such as '5m'", *life);
  return {};
}

Result<std::vector<ChatMessage>> read_conversation(const Json& body) {
  Reader reader;
  if (const Json* system = find_field(body, "system")) {
    auto text = read_text(*system, "system");
    if (!text) return tl::unexpected(std::move(text.error()));
    if (!text->empty()) reader.add_system(std::move(*text));
  }
  const Json* list = find_field(body, "messages");
  if (list == nullptr) return missing("messages", "a list of {\"role\":…,\"content\":…}");
  if (!list->is_array()) return wrong_field("messages", "a list", *list);
  if (list->empty())
    return fail(Error::Code::invalid, "messages is empty; at least one message is needed", "messages");
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (auto read = reader.read((*list)[i], i); !read) return tl::unexpected(std::move(read.error()));
  }
  std::vector<ChatMessage> messages = reader.take();
  if (messages.empty())
    return fail(Error::Code::invalid, "messages: none of them says anything that can be read here",
                "messages");
  return messages;
}

}  // namespace pensieve::server
