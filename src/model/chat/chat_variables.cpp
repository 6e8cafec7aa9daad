// Conversion of a conversation to template variables.
#include "model/chat/chat_variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "model/chat/jinja/json_input.h"
#include "util/json.h"
#include "util/unicode.h"

namespace pensieve::model {
namespace {

using jinja::DictBuilder;
using jinja::ListBuilder;
using jinja::Origin;
using jinja::Text;
using jinja::Value;

// Names that a request may not set: what the conversation itself becomes, and the functions of the language.
constexpr std::array<std::string_view, 15> kReserved{
    "messages",  "tools",         "documents",       "add_generation_prompt", "bos_token", "eos_token",
    "tokenize",  "chat_template", "raise_exception", "strftime_now",          "range",     "dict",
    "namespace", "cycler",        "joiner"};

// Templates build control tokens from role names ("<|" + role + "|>"), so these words count as the template's
// own.
constexpr std::array<std::string_view, 4> kRoles{"system", "user", "assistant", "tool"};

Value own(std::string_view bytes) {
  return Value(Text(std::string(bytes)));
}

Value foreign(const std::string& bytes) {
  return Value(Text(util::valid_utf8(bytes) ? bytes : util::repair_utf8(bytes), Origin::foreign));
}

Value role_value(const std::string& role) {
  return std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end() ? own(role) : foreign(role);
}

// The arguments as an object; a text that is no JSON stays a text.
Value arguments_value(const std::string& arguments) {
  const Result<util::Json> parsed = util::parse_json(arguments);
  return parsed ? jinja::from_json(*parsed, Origin::foreign) : foreign(arguments);
}

Value tool_calls_value(const std::vector<ToolCall>& calls) {
  ListBuilder list(nullptr);
  for (const ToolCall& call : calls) {
    DictBuilder function(nullptr);
    function.set(own("name"), foreign(call.name));
    function.set(own("arguments"), arguments_value(call.arguments));
    DictBuilder entry(nullptr);
    entry.set(own("id"), foreign(call.id));
    entry.set(own("type"), own("function"));
    entry.set(own("function"), std::move(function).finish());
    list.push(std::move(entry).finish());
  }
  return std::move(list).finish();
}

Value message_value(const ChatMessage& message) {
  DictBuilder entry(nullptr);
  entry.set(own("role"), role_value(message.role));
  entry.set(own("content"), message.content ? foreign(*message.content) : Value::none());
  if (!message.reasoning_content.empty())
    entry.set(own("reasoning_content"), foreign(message.reasoning_content));
  if (!message.tool_calls.empty()) entry.set(own("tool_calls"), tool_calls_value(message.tool_calls));
  if (!message.tool_call_id.empty()) entry.set(own("tool_call_id"), foreign(message.tool_call_id));
  if (!message.name.empty()) entry.set(own("name"), foreign(message.name));
  return std::move(entry).finish();
}

// As clients write it: what templates were made for.
Value tool_value(const Tool& tool) {
  DictBuilder function(nullptr);
  function.set(own("name"), foreign(tool.name));
  if (!tool.description.empty()) function.set(own("description"), foreign(tool.description));
  const Result<util::Json> parameters = util::parse_json(tool.parameters);
  function.set(
      own("parameters"),
      jinja::from_json(
          parameters ? *parameters : util::Json{{"type", "object"}, {"properties", util::Json::object()}},
          Origin::foreign));
  DictBuilder entry(nullptr);
  entry.set(own("type"), own("function"));
  entry.set(own("function"), std::move(function).finish());
  return std::move(entry).finish();
}

Value tools_value(const ChatRequest& request) {
  if (request.tools.empty() || request.tool_choice.mode == ToolChoice::Mode::none) return Value::none();
  ListBuilder list(nullptr);
  for (const Tool& tool : request.tools) list.push(tool_value(tool));
  return std::move(list).finish();
}

tl::unexpected<Error> refuse_arguments(std::string what) {
  return fail(Error::Code::invalid, std::move(what), "chat_template_kwargs");
}

}  // namespace

Result<ChatVariables> ChatVariables::make(const ChatRequest& request, const std::string& bos_text,
                                          const std::string& eos_text) {
  ChatVariables variables;
  auto& entries = variables.entries_;
  entries.push_back({own("tools"), tools_value(request)});
  entries.push_back({own("documents"), Value::none()});
  entries.push_back({own("add_generation_prompt"), Value(request.add_generation_prompt)});
  entries.push_back({own("bos_token"), own(bos_text)});
  entries.push_back({own("eos_token"), own(eos_text)});
  if (request.template_arguments.empty()) return variables;
  const Result<util::Json> arguments = util::parse_json(request.template_arguments);
  if (!arguments) return refuse_arguments("chat_template_kwargs is " + arguments.error().what);
  if (!arguments->is_object())
    return refuse_arguments(
        fmt::format("chat_template_kwargs must be an object, not {}", arguments->type_name()));
  for (const auto& [key, value] : arguments->items()) {
    if (std::find(kReserved.begin(), kReserved.end(), key) != kReserved.end()) {
      return refuse_arguments(
          fmt::format("chat_template_kwargs may not set '{}': the name is reserved", key));
    }
    entries.push_back({own(key), jinja::from_json(value, Origin::foreign)});
  }
  return variables;
}

Value ChatVariables::with_messages(const std::vector<ChatMessage>& messages) const {
  DictBuilder all(nullptr);
  ListBuilder list(nullptr);
  for (const ChatMessage& message : messages) list.push(message_value(message));
  all.set(own("messages"), std::move(list).finish());
  for (const jinja::Dict::Entry& entry : entries_) all.set(entry.key, entry.value);
  return std::move(all).finish();
}

}  // namespace pensieve::model
