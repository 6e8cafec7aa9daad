// Reading "input". Form: the OpenAI API reference, "Create a model response".
#include "server/dialects/response_items.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "server/random_id.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kShown = 60;
constexpr std::size_t kMostReferences = 4096;

// Made by tools that run at OpenAI, or by tools of other kinds than functions.
constexpr std::array<std::string_view, 24> kForeignItems{
    "file_search_call",
    "web_search_call",
    "computer_call",
    "computer_call_output",
    "image_generation_call",
    "code_interpreter_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "custom_tool_call",
    "custom_tool_call_output",
    "tool_search_call",
    "tool_search_output",
    "additional_tools",
    "program",
    "program_output",
    "compaction",
};

constexpr std::array kItemFields{
    Field{"type", FieldKind::text},
    Field{"id", FieldKind::text},
    Field{"role", FieldKind::text},
    Field{"status", FieldKind::text},
    Field{"call_id", FieldKind::text},
    Field{"name", FieldKind::text},
    Field{"arguments", FieldKind::text},
    Field{"summary", FieldKind::list},
    Field{"content", FieldKind::anything},  // a message's may be a text
    Field{"encrypted_content", FieldKind::text},
};

tl::unexpected<Error> missing(const std::string& field, std::string_view what) {
  return fail(Error::Code::invalid, fmt::format("{} is missing: {}", field, what), field);
}

std::string id_of(const Json& item, std::string_view prefix) {
  std::string id = text_field(item, "id");
  return id.empty() ? random_id(prefix) : id;
}

Result<std::string> needed_text(const Json& item, const char* name, const std::string& where,
                                std::string_view what) {
  const Json* value = find_field(item, name);
  if (value == nullptr) return missing(where + "." + name, what);
  if (!value->is_string()) return wrong_field(where + "." + name, "a string", *value);
  if (value->get_ref<const std::string&>().empty())
    return wrong_field(where + "." + name, "a string with at least one character", *value);
  return value->get<std::string>();
}

// A part of content: its type, and the text that it must have under `field`.
Result<std::string> part_text(const Json& part, const char* field, const std::string& where) {
  const Json* text = find_field(part, field);
  if (text == nullptr) return missing(where + "." + field, "a part of that type needs it");
  if (!text->is_string()) return wrong_field(where + "." + field, "a string", *text);
  return text->get<std::string>();
}

tl::unexpected<Error> strange_part(const std::string& kind, const std::string& where) {
  const bool media = kind == "input_image" || kind == "input_file" || kind == "input_audio";
  return fail(media ? Error::Code::unsupported : Error::Code::invalid,
              media ? fmt::format("{}.type: '{}' needs a model for images, sound or files; this one reads "
                                  "text only",
                                  where, kind)
                    : fmt::format("{}.type: '{}' is unknown; 'input_text', 'output_text' and 'refusal' are "
                                  "understood",
                                  where, kind.substr(0, kShown)),
              where + ".type");
}

Json text_part(bool answer, std::string text) {
  if (!answer) return Json{{"type", "input_text"}, {"text", std::move(text)}};
  return Json{{"type", "output_text"}, {"text", std::move(text)}, {"annotations", Json::array()}};
}

// `answer`: the assistant's, whose texts are kept as output_text.
Result<Json> read_part(const Json& part, bool answer, const std::string& where) {
  if (!part.is_object()) return wrong_field(where, "an object with a 'type'", part);
  const Json* type = find_field(part, "type");
  if (type == nullptr) return missing(where + ".type", "say 'input_text'");
  if (!type->is_string()) return wrong_field(where + ".type", "a string", *type);
  const auto& kind = type->get_ref<const std::string&>();
  if (kind == "refusal") {
    auto text = part_text(part, "refusal", where);
    if (!text) return tl::unexpected(std::move(text.error()));
    return Json{{"type", "refusal"}, {"refusal", std::move(*text)}};
  }
  if (kind != "input_text" && kind != "output_text") return strange_part(kind, where);
  auto text = part_text(part, "text", where);
  if (!text) return tl::unexpected(std::move(text.error()));
  return text_part(answer, std::move(*text));
}

Result<Json> read_parts(const Json& content, bool answer, const std::string& where) {
  if (content.is_string()) return Json::array({text_part(answer, content.get<std::string>())});
  if (!content.is_array()) return wrong_field(where, "a string or a list of parts", content);
  Json parts = Json::array();
  for (std::size_t i = 0; i < content.size(); ++i) {
    auto part = read_part(content[i], answer, fmt::format("{}[{}]", where, i));
    if (!part) return tl::unexpected(std::move(part.error()));
    parts.push_back(std::move(*part));
  }
  return parts;
}

Result<Json> read_message(const Json& item, const std::string& where) {
  const Json* role = find_field(item, "role");
  if (role == nullptr) return missing(where + ".role", "user, assistant, system or developer");
  if (*role != "user" && *role != "assistant" && *role != "system" && *role != "developer")
    return wrong_field(where + ".role", "user, assistant, system or developer", *role);
  const Json* content = find_field(item, "content");
  if (content == nullptr) return missing(where + ".content", "a message says something, if only \"\"");
  auto parts = read_parts(*content, *role == "assistant", where + ".content");
  if (!parts) return tl::unexpected(std::move(parts.error()));
  return Json{{"id", id_of(item, "msg_")},
              {"type", "message"},
              {"status", "completed"},
              {"role", *role},
              {"content", std::move(*parts)}};
}

Result<Json> read_call(const Json& item, const std::string& where) {
  auto call_id = needed_text(item, "call_id", where, "the id under which the call's output will come");
  if (!call_id) return tl::unexpected(std::move(call_id.error()));
  auto name = needed_text(item, "name", where, "a call names its function");
  if (!name) return tl::unexpected(std::move(name.error()));
  const Json* arguments = find_field(item, "arguments");
  if (arguments == nullptr) return missing(where + ".arguments", "JSON text of an object, if only \"{}\"");
  return Json{{"id", id_of(item, "fc_")},       {"type", "function_call"},  {"status", "completed"},
              {"call_id", std::move(*call_id)}, {"name", std::move(*name)}, {"arguments", *arguments}};
}

Result<Json> read_call_output(const Json& item, const std::string& where) {
  auto call_id = needed_text(item, "call_id", where, "the call_id of the call that this answers");
  if (!call_id) return tl::unexpected(std::move(call_id.error()));
  const Json* output = find_field(item, "output");
  if (output == nullptr) return missing(where + ".output", "what the function gave, if only \"\"");
  Json kept = *output;
  if (!output->is_string()) {
    auto parts = read_parts(*output, false, where + ".output");
    if (!parts) return tl::unexpected(std::move(parts.error()));
    kept = std::move(*parts);
  }
  return Json{{"id", id_of(item, "fco_")},
              {"type", "function_call_output"},
              {"status", "completed"},
              {"call_id", std::move(*call_id)},
              {"output", std::move(kept)}};
}

// {"type":KIND,"text":…} each.
Result<Json> read_thoughts(const Json& list, const char* kind, const std::string& where) {
  if (!list.is_array()) return wrong_field(where, "a list of parts", list);
  Json kept = Json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", where, i);
    if (!list[i].is_object()) return wrong_field(place, "an object with a 'type'", list[i]);
    const Json* type = find_field(list[i], "type");
    if (type && *type != kind) return wrong_field(place + ".type", fmt::format("'{}'", kind), *type);
    auto text = part_text(list[i], "text", place);
    if (!text) return tl::unexpected(std::move(text.error()));
    kept.push_back(Json{{"type", kind}, {"text", std::move(*text)}});
  }
  return kept;
}

Result<Json> read_reasoning(const Json& item, const std::string& where) {
  Json kept{{"id", id_of(item, "rs_")}, {"type", "reasoning"}, {"summary", Json::array()}};
  if (const Json* summary = find_field(item, "summary")) {
    auto texts = read_thoughts(*summary, "summary_text", where + ".summary");
    if (!texts) return tl::unexpected(std::move(texts.error()));
    kept["summary"] = std::move(*texts);
  }
  if (const Json* content = find_field(item, "content")) {
    auto texts = read_thoughts(*content, "reasoning_text", where + ".content");
    if (!texts) return tl::unexpected(std::move(texts.error()));
    kept["content"] = std::move(*texts);
  }
  if (const Json* wrapped = find_field(item, "encrypted_content")) kept["encrypted_content"] = *wrapped;
  return kept;
}

Result<Json> read_item(const Json& item, const std::string& where) {
  if (!item.is_object()) return wrong_field(where, "an object", item);
  if (auto checked = check_fields(item, kItemFields, where + "."); !checked)
    return tl::unexpected(std::move(checked.error()));
  const std::string type = text_field(item, "type");
  if (type == "message" || (type.empty() && find_field(item, "role"))) return read_message(item, where);
  if (type == "function_call") return read_call(item, where);
  if (type == "function_call_output") return read_call_output(item, where);
  if (type == "reasoning") return read_reasoning(item, where);
  if (type == "item_reference" || (type.empty() && find_field(item, "id"))) {
    auto id = needed_text(item, "id", where, "the id of the item that is meant");
    if (!id) return tl::unexpected(std::move(id.error()));
    return Json{{"type", "item_reference"}, {"id", std::move(*id)}};
  }
  if (type.empty()) return missing(where + ".type", "say 'message', or give a role");
  const bool foreign = std::find(kForeignItems.begin(), kForeignItems.end(), type) != kForeignItems.end();
  return fail(foreign ? Error::Code::unsupported : Error::Code::invalid,
              fmt::format("{}.type: '{}' is {}; message, function_call, function_call_output, reasoning and "
                          "item_reference are understood",
                          where, type.substr(0, kShown),
                          foreign ? "of a tool that this server does not have" : "unknown"),
              where + ".type");
}

}  // namespace

Result<Json> read_items(const Json& input) {
  if (input.is_string()) {
    return Json::array({Json{{"id", random_id("msg_")},
                             {"type", "message"},
                             {"status", "completed"},
                             {"role", "user"},
                             {"content", Json::array({text_part(false, input.get<std::string>())})}}});
  }
  if (!input.is_array()) return wrong_field("input", "a text or a list of items", input);
  if (input.empty())
    return fail(Error::Code::invalid, "input is empty; at least one item is needed", "input");
  Json items = Json::array();
  for (std::size_t i = 0; i < input.size(); ++i) {
    auto item = read_item(input[i], fmt::format("input[{}]", i));
    if (!item) return item;
    items.push_back(std::move(*item));
  }
  if (const auto count = referenced_ids(items).size(); count > kMostReferences) {
    return fail(Error::Code::invalid,
                fmt::format("input: {} references; at most {} are possible", count, kMostReferences),
                "input");
  }
  return items;
}

std::vector<std::string> referenced_ids(const Json& items) {
  std::vector<std::string> ids;
  for (const Json& item : items) {
    if (text_field(item, "type") == "item_reference") ids.push_back(text_field(item, "id"));
  }
  return ids;
}

Result<> resolve_references(Json& items, const std::vector<std::string>& bodies) {
  std::size_t next = 0;
  for (Json& item : items) {
    if (text_field(item, "type") != "item_reference") continue;
    auto body = next < bodies.size() ? util::parse_json(bodies[next++])
                                     : Result<Json>(fail(Error::Code::internal, "an item is missing"));
    if (!body || !body->is_object()) {
      return fail(
          Error::Code::internal,
          fmt::format("input: the kept item '{}' is damaged; send the item itself", text_field(item, "id")),
          "input");
    }
    item = std::move(*body);
  }
  return {};
}

Result<> check_history(const Json& items) {
  std::set<std::string> ids, calls;
  for (const Json& item : items) {
    const std::string id = text_field(item, "id");
    if (!ids.insert(id).second) {
      return fail(
          Error::Code::invalid,
          fmt::format("input: the item '{}' is there twice; what previous_response_id brings along is "
                      "not sent again",
                      id.substr(0, kShown)),
          "input", "duplicate_item");
    }
    const std::string type = text_field(item, "type"), call_id = text_field(item, "call_id");
    if (type == "function_call") calls.insert(call_id);
    if (type == "function_call_output" && calls.count(call_id) == 0) {
      return fail(Error::Code::invalid,
                  fmt::format("input: no function_call has the call_id '{}' that an output is for",
                              call_id.substr(0, kShown)),
                  "input", "call_not_found");
    }
  }
  return {};
}

}  // namespace pensieve::server
