// See chat_request.h.
#include "server/dialects/chat_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace pensieve::server {
namespace {

constexpr std::array kChatFields{
    Field{"messages", FieldKind::list},
    Field{"session", FieldKind::text},
    Field{"max_completion_tokens", FieldKind::integer, 1, 2147483647.0},
    Field{"logprobs", FieldKind::boolean},
    Field{"top_logprobs", FieldKind::integer, 0, 20},
    Field{"chat_template_kwargs", FieldKind::object},
    Field{"reasoning_effort", FieldKind::text},
    Field{"parallel_tool_calls", FieldKind::boolean},
    Field{"tools", FieldKind::list},
    Field{"tool_choice", FieldKind::anything},
    Field{"response_format", FieldKind::object},
    Field{"verbosity", FieldKind::anything},
    Field{"modalities", FieldKind::list},
    Field{"functions", FieldKind::refused, 0, 0, "use tools"},
    Field{"function_call", FieldKind::refused, 0, 0, "use tool_choice"},
    Field{"audio", FieldKind::refused},
    Field{"prediction", FieldKind::refused},
    Field{"web_search_options", FieldKind::refused},
    Field{"continue_final_message", FieldKind::refused},
    Field{"thinking_budget_tokens", FieldKind::refused, 0, 0, {}, -1},
};

tl::unexpected<Error> not_yet(std::string field, std::string_view why) {
  std::string what = fmt::format("{}: {}", field, why);
  return fail(Error::Code::unsupported, std::move(what), std::move(field));
}

// Tools are not served yet, but a history of calls is, and so is the wish that none be made.
Result<> check_tools(const Json& body) {
  const Json* choice = find_field(body, "tool_choice");
  std::string mode;
  if (choice) {
    if (!choice->is_string())
      return not_yet("tool_choice", "naming a tool is not possible yet; use 'none' or 'auto'");
    mode = choice->get<std::string>();
    if (mode == "required")
      return not_yet("tool_choice", "'required' is not possible yet; use 'none' or 'auto'");
    if (mode != "none" && mode != "auto") return wrong_field("tool_choice", "'none' or 'auto'", *choice);
  }
  const Json* tools = find_field(body, "tools");
  if (tools && !tools->empty() && mode != "none") {
    return not_yet("tools", "calling tools is not possible yet; leave them out or set tool_choice to 'none'");
  }
  return {};
}

Result<> check_response_format(const Json& body) {
  const Json* format = find_field(body, "response_format");
  if (format == nullptr) return {};
  const Json* type = find_field(*format, "type");
  if (type == nullptr || !type->is_string()) {
    return fail(Error::Code::invalid, "response_format.type is missing; 'text' is possible",
                "response_format.type");
  }
  if (*type == "text") return {};
  if (*type == "json_object" || *type == "json_schema") {
    return not_yet("response_format",
                   "constrained answers are not possible yet; only {\"type\":\"text\"} is");
  }
  return wrong_field("response_format.type", "'text'", *type);
}

Result<> check_modalities(const Json& body) {
  const Json* modalities = find_field(body, "modalities");
  const bool text = modalities == nullptr || std::all_of(modalities->begin(), modalities->end(),
                                                         [](const Json& entry) { return entry == "text"; });
  if (text) return {};
  return fail(Error::Code::unsupported,
              "modalities: answers are text here; leave the field out or send [\"text\"]", "modalities");
}

Result<> read_logprobs(const Json& body, GenerationRequest& generation) {
  const bool wanted = boolean_field(body, "logprobs", false);
  const auto top = integer_field(body, "top_logprobs");
  if (top && *top > 0 && !wanted) {
    return fail(Error::Code::invalid, fmt::format("top_logprobs is {}, but logprobs is not true", *top),
                "top_logprobs");
  }
  if (wanted) generation.top_logprobs = static_cast<std::int32_t>(top.value_or(0));
  return {};
}

std::string template_arguments(const Json& body) {
  Json arguments = Json::object();
  if (const Json* effort = find_field(body, "reasoning_effort")) arguments["reasoning_effort"] = *effort;
  if (const Json* given = find_field(body, "chat_template_kwargs")) arguments.update(*given);
  return arguments.empty() ? std::string() : util::to_json(arguments);
}

}  // namespace

Result<Call> read_chat_call(const Json& body) {
  Call call;
  if (auto read = read_generation_fields(body, 1, call); !read) return tl::unexpected(read.error());
  if (auto checked = check_fields(body, kChatFields); !checked) return tl::unexpected(checked.error());
  if (auto checked = check_tools(body); !checked) return tl::unexpected(checked.error());
  if (auto checked = check_response_format(body); !checked) return tl::unexpected(checked.error());
  if (auto checked = check_modalities(body); !checked) return tl::unexpected(checked.error());
  GenerationRequest& generation = call.generation;
  if (auto read = read_logprobs(body, generation); !read) return tl::unexpected(read.error());
  if (const auto limit = integer_field(body, "max_completion_tokens")) {
    generation.max_tokens = generation.max_tokens < 0 ? *limit : std::min(*limit, generation.max_tokens);
  }
  auto messages = read_messages(body);
  if (!messages) return tl::unexpected(std::move(messages.error()));
  ChatRequest chat;
  chat.messages = std::move(*messages);
  chat.template_arguments = template_arguments(body);
  call.session = text_field(body, "session");
  generation.prompt = std::move(chat);
  call.unknown = unknown_fields(body, {generation_fields(), kChatFields});
  return call;
}

}  // namespace pensieve::server
