// See messages_request.h. Fields: the Messages API reference; the samplers beyond it, seed and ignore_eos are
// those of the other APIs here.
#include "server/dialects/messages_request.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "server/dialects/constraint_fields.h"
#include "server/dialects/messages_blocks.h"
#include "server/dialects/messages_tools.h"
#include "server/dialects/reasoning_fields.h"

namespace pensieve::server {
namespace {

constexpr double kInt32 = 2147483647.0;

constexpr std::array kFields{
    Field{"model", FieldKind::text},
    Field{"max_tokens", FieldKind::integer, 0, kInt32, "a whole number from 0 on; 0 only reads the prompt"},
    Field{"messages", FieldKind::list},
    Field{"system", FieldKind::anything},
    Field{"stream", FieldKind::boolean},
    Field{"temperature", FieldKind::number, 0, 100},
    Field{"top_p", FieldKind::number, 0, 1},
    Field{"top_k", FieldKind::integer, -1, kInt32},
    Field{"stop_sequences", FieldKind::list},
    Field{"tools", FieldKind::list},
    Field{"tool_choice", FieldKind::object},
    Field{"thinking", FieldKind::object},
    Field{"output_config", FieldKind::object},
    Field{"output_format", FieldKind::object},  // where output_config.format stood before
    Field{"min_p", FieldKind::number, 0, 1},
    Field{"typical_p", FieldKind::number, 0, 1},
    Field{"repeat_penalty", FieldKind::number, 1e-6, 1e6, "a number above 0"},
    Field{"repetition_penalty", FieldKind::number, 1e-6, 1e6, "a number above 0"},
    Field{"repeat_last_n", FieldKind::integer, -1, kInt32},
    Field{"presence_penalty", FieldKind::number, -2, 2},
    Field{"frequency_penalty", FieldKind::number, -2, 2},
    Field{"seed", FieldKind::integer},
    Field{"ignore_eos", FieldKind::boolean},
    Field{"cache_control", FieldKind::object},
    // Without meaning on a local server.
    Field{"metadata", FieldKind::inert},
    Field{"service_tier", FieldKind::inert},
};
constexpr std::array kThinkingFields{
    Field{"type", FieldKind::text},
    // No least number: models here are not those that need 1,024.
    Field{"budget_tokens", FieldKind::integer, 1, kInt32},
    Field{"display", FieldKind::text},
};
constexpr std::array kOutputFields{
    Field{"effort", FieldKind::text},
    Field{"format", FieldKind::object},
};

// After the effort: what is said of thinking itself outranks it.
Result<> read_thinking(const Json& body, Json& arguments, MessagesCall& call) {
  const Json* thinking = find_field(body, "thinking");
  if (thinking == nullptr) return {};
  if (auto checked = check_fields(*thinking, kThinkingFields, "thinking."); !checked) return checked;
  const std::string type = text_field(*thinking, "type");
  if (type != "enabled" && type != "adaptive" && type != "disabled")
    return wrong_field("thinking.type", "'enabled', 'adaptive' or 'disabled'", Json(type));
  const std::string display = text_field(*thinking, "display");
  if (!display.empty() && display != "summarized" && display != "omitted")
    return wrong_field("thinking.display", "'summarized' or 'omitted'", Json(display));
  call.show_thinking = display != "omitted";
  switch_thinking(type != "disabled", arguments);
  std::optional<std::int64_t>& most = call.call.generation.reasoning_tokens;
  if (type == "disabled") most = 0;
  if (type != "enabled") return {};
  most = integer_field(*thinking, "budget_tokens");
  if (most) return {};
  return fail(Error::Code::invalid, "thinking.budget_tokens is missing: most tokens of thinking",
              "thinking.budget_tokens");
}

Result<> read_output(const Json& body, Json& arguments, GenerationRequest& generation) {
  const Json* format = find_field(body, "output_format");
  std::string where = "output_format";
  if (const Json* output = find_field(body, "output_config")) {
    if (auto checked = check_fields(*output, kOutputFields, "output_config."); !checked) return checked;
    if (const Json* effort = find_field(*output, "effort")) {
      if (auto read = read_effort(*effort, "output_config.effort", arguments, generation); !read) return read;
    }
    if (const Json* newer = find_field(*output, "format")) {
      if (format != nullptr) {
        return fail(Error::Code::invalid, "output_format and output_config.format say the same: give one",
                    "output_format");
      }
      format = newer;
      where = "output_config.format";
    }
  }
  if (format == nullptr) return {};
  auto constraint = read_format(*format, where);
  if (!constraint) return tl::unexpected(std::move(constraint.error()));
  generation.constraint = std::move(*constraint);
  if (generation.constraint) generation.constraint->field = where;
  return {};
}

Result<> read_limits(const Json& body, bool counting, GenerationRequest& generation) {
  const auto limit = integer_field(body, "max_tokens");
  if (!limit && !counting)
    return fail(Error::Code::invalid, "max_tokens is missing: most tokens of the answer", "max_tokens");
  generation.max_tokens = limit.value_or(-1);
  generation.ignore_eos = boolean_field(body, "ignore_eos", false);
  return read_stop(body, "stop_sequences", generation.stop);
}

Result<ChatRequest> read_chat(const Json& body, Call& call) {
  auto messages = read_conversation(body);
  if (!messages) return tl::unexpected(std::move(messages.error()));
  ChatRequest chat;
  chat.messages = std::move(*messages);
  const ChatMessage& last = chat.messages.back();
  // An answer that has begun is gone on with.
  if (last.role == "assistant" && last.content && last.tool_calls.empty()) chat.add_generation_prompt = false;
  if (auto read = read_messages_tools(body, chat, call.inert); !read)
    return tl::unexpected(std::move(read.error()));
  return chat;
}

}  // namespace

Result<MessagesCall> read_messages_call(const Json& body, bool counting) {
  if (auto checked = check_fields(body, kFields); !checked) return tl::unexpected(checked.error());
  if (auto checked = check_cache_control(body, ""); !checked) return tl::unexpected(checked.error());
  MessagesCall messages;
  Call& call = messages.call;
  GenerationRequest& generation = call.generation;
  call.model = text_field(body, "model");
  call.stream = boolean_field(body, "stream", false);
  read_samplers(body, call);
  read_seed(body, generation.sampling);
  call.unknown = unknown_fields(body, {kFields});
  call.inert = inert_fields(body, {kFields});
  if (auto read = read_limits(body, counting, generation); !read)
    return tl::unexpected(std::move(read.error()));
  auto chat = read_chat(body, call);
  if (!chat) return tl::unexpected(std::move(chat.error()));
  Json arguments = Json::object();
  if (auto read = read_output(body, arguments, generation); !read)
    return tl::unexpected(std::move(read.error()));
  if (auto read = read_thinking(body, arguments, messages); !read)
    return tl::unexpected(std::move(read.error()));
  if (generation.constraint && !chat->add_generation_prompt) {
    return fail(Error::Code::invalid,
                "output_config.format holds for whole answers; the last message must not be the assistant's",
                "output_config.format");
  }
  if (!arguments.empty()) chat->template_arguments = util::to_json(arguments);
  generation.prompt = std::move(*chat);
  return messages;
}

}  // namespace pensieve::server
