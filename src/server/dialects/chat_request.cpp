// See chat_request.h.
#include "server/dialects/chat_request.h"

#include <fmt/format.h>

#include <array>

#include "server/dialects/reasoning_fields.h"
#include "server/dialects/tools.h"

namespace pensieve::server {
namespace {

constexpr std::array kChatFields{
    Field{"messages", FieldKind::list},
    Field{"session", FieldKind::text},
    Field{"max_completion_tokens", FieldKind::integer, 1, 2147483647.0, "between 1 and 2147483647"},
    Field{"timings_per_token", FieldKind::boolean},
    Field{"logprobs", FieldKind::boolean},
    Field{"top_logprobs", FieldKind::integer, 0, 20},
    Field{"chat_template_kwargs", FieldKind::object},
    Field{"reasoning_effort", FieldKind::text},
    Field{"parallel_tool_calls", FieldKind::boolean},  // these three: tools.cpp
    Field{"tools", FieldKind::list},
    Field{"tool_choice", FieldKind::anything},
    Field{"verbosity", FieldKind::inert},
    Field{"modalities", FieldKind::list},
    Field{"functions", FieldKind::refused, 0, 0, "use tools"},
    Field{"function_call", FieldKind::refused, 0, 0, "use tool_choice"},
    Field{"audio", FieldKind::refused},
    Field{"prediction", FieldKind::refused},
    Field{"web_search_options", FieldKind::refused},
    Field{"continue_final_message", FieldKind::refused},
    Field{"thinking_budget_tokens", FieldKind::integer, -1, 2147483647.0, "-1 for no limit, or at least 0"},
};

// What can be heard or seen is not made here: only text, or nothing said.
Result<> check_modalities(const Json& body) {
  const Json* list = find_field(body, "modalities");
  if (list == nullptr) return {};
  if (!list->is_array()) return wrong_field("modalities", "a list such as [\"text\"]", *list);
  for (const Json& entry : *list) {
    if (entry == "text") continue;
    return fail(
        Error::Code::unsupported,
        fmt::format("modalities: only \"text\" is possible, not {}", util::to_json(entry).substr(0, 60)),
        "modalities");
  }
  return {};
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

// Two names for one limit.
Result<> read_limit(const Json& body, GenerationRequest& generation) {
  const auto limit = integer_field(body, "max_completion_tokens");
  if (!limit) return {};
  if (generation.max_tokens >= 0 && generation.max_tokens != *limit) {
    return fail(Error::Code::invalid,
                fmt::format("max_completion_tokens is {}, but max_tokens is {}; they mean the same, send one",
                            *limit, generation.max_tokens),
                "max_completion_tokens");
  }
  generation.max_tokens = *limit;
  return {};
}

}  // namespace

Result<Call> read_chat_call(const Json& body) {
  Call call;
  if (auto read = read_generation_fields(body, 1, call); !read) return tl::unexpected(read.error());
  if (auto checked = check_fields(body, kChatFields); !checked) return tl::unexpected(checked.error());
  if (auto checked = check_modalities(body); !checked) return tl::unexpected(checked.error());
  GenerationRequest& generation = call.generation;
  if (auto read = read_logprobs(body, generation); !read) return tl::unexpected(read.error());
  if (auto read = read_limit(body, generation); !read) return tl::unexpected(read.error());
  auto messages = read_messages(body);
  if (!messages) return tl::unexpected(std::move(messages.error()));
  ChatRequest chat;
  chat.messages = std::move(*messages);
  if (auto read = read_chat_tools(body, chat); !read) return tl::unexpected(std::move(read.error()));
  const auto arguments = read_reasoning(body, generation);
  if (!arguments) return tl::unexpected(arguments.error());
  if (!arguments->empty()) chat.template_arguments = util::to_json(*arguments);
  call.timings_per_token = boolean_field(body, "timings_per_token", false);
  call.session = text_field(body, "session");
  generation.prompt = std::move(chat);
  call.unknown = unknown_fields(body, {generation_fields(), kChatFields});
  call.inert = inert_generation_fields(body, kChatFields);
  return call;
}

}  // namespace pensieve::server
