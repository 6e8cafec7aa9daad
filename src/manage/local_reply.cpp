// The reply's side of LocalInference: what the sampler must keep to, how long the model may reason, and who
// reads what it writes. Not the prompt: local_inference.cpp. The text thread only.
#include <algorithm>
#include <utility>

#include "engine/constraint/token_trie.h"
#include "manage/local_inference.h"
#include "manage/message_sink.h"

namespace pensieve::manage {
namespace {

// Whether the reply can be nothing but calls.
bool only_calls(const GenerationRequest& request) {
  const auto* chat = std::get_if<ChatRequest>(&request.prompt);
  return chat != nullptr && !chat->tools.empty() && chat->tool_choice.mode == ToolChoice::Mode::required;
}

std::vector<Tool> callable_tools(const ChatRequest& chat) {
  const std::vector<std::string>& names = chat.tool_choice.names;
  std::vector<Tool> tools;
  for (const Tool& tool : chat.tools) {
    if (names.empty() || std::find(names.begin(), names.end(), tool.name) != names.end())
      tools.push_back(tool);
  }
  return tools;
}

// Whether calls must be enforced although the model may answer as it likes: strict arguments always, one call
// or some tools only as far as the family's form can be watched; MessageSink keeps to the rest.
bool watches_calls(const GenerationRequest& request, const ReplyFormat* format) {
  const auto* chat = std::get_if<ChatRequest>(&request.prompt);
  if (chat == nullptr || format == nullptr || request.constraint) return false;
  const ToolChoice& choice = chat->tool_choice;
  const std::vector<Tool> tools = callable_tools(*chat);
  if (choice.mode != ToolChoice::Mode::automatic || tools.empty()) return false;
  if (std::any_of(tools.begin(), tools.end(), [](const Tool& tool) { return tool.strict; })) return true;
  return (!choice.parallel || !choice.names.empty()) &&
         engine::constraint::can_watch(format->enforced_form());
}

// Where a client looks for the constraint that is refused.
std::string field_of(const GenerationRequest& request) {
  if (!request.constraint) return "tools";
  if (!request.constraint->field.empty()) return request.constraint->field;
  switch (request.constraint->kind) {
    case Constraint::Kind::regex:
      return "regex";
    case Constraint::Kind::gbnf:
    case Constraint::Kind::lark:
      return "grammar";
    default:
      return "response_format";
  }
}

}  // namespace

std::vector<std::unique_ptr<ReplyParser>> LocalInference::reply_parsers(const GenerationRequest& request,
                                                                        std::string_view tail) const {
  const auto& chat = std::get<ChatRequest>(request.prompt);
  std::vector<std::unique_ptr<ReplyParser>> parsers;
  for (std::int32_t choice = 0; choice < std::clamp(request.choices, 1, 128); ++choice) {
    parsers.push_back(only_calls(request) ? model_.reply_format->enforced_parser(tail)
                                          : model_.reply_format->parser(chat, tail));
  }
  return parsers;
}

std::unique_ptr<ReplySink> LocalInference::message_sink(const GenerationRequest& request,
                                                        std::string_view tail,
                                                        std::unique_ptr<ReplySink> client) const {
  const bool one_call = !std::get<ChatRequest>(request.prompt).tool_choice.parallel;
  return std::make_unique<MessageSink>(reply_parsers(request, tail), std::move(client), one_call);
}

// Nothing where the model does not reason, or may for as long as it likes.
std::optional<engine::ThinkingLimit> LocalInference::thinking_limit(const GenerationRequest& request,
                                                                    std::string_view tail) const {
  if (!request.reasoning_tokens) return std::nullopt;
  const std::optional<ThinkingForm> form = model_.reply_format->thinking(tail);
  if (!form) return std::nullopt;
  engine::ThinkingLimit limit;
  limit.tokens = std::max<std::int64_t>(*request.reasoning_tokens, 0);
  model_.tokenizer->encode(form->close, {.add_special = false, .parse_special = true}, limit.close);
  limit.readers = reply_parsers(request, tail);
  return limit;
}

// What the sampler must keep to: the constraint of the answer, a call, or, with both allowed, either.
Result<std::optional<engine::Enforcement>> LocalInference::enforcement_of(const GenerationRequest& request,
                                                                          std::string_view tail) {
  const bool watched = watches_calls(request, model_.reply_format.get());
  if (!request.constraint && !only_calls(request) && !watched) return std::nullopt;
  if (!trie_) trie_ = std::make_shared<engine::constraint::TokenTrie>(*model_.tokenizer);
  engine::constraint::AnswerForm form;
  if (!only_calls(request)) form.content = request.constraint;
  form.controls = trie_->controls();
  if (const auto* chat = std::get_if<ChatRequest>(&request.prompt); chat != nullptr && model_.reply_format) {
    form.form = model_.reply_format->enforced_form();
    form.thinking = model_.reply_format->thinking(tail);
    std::vector<Tool> tools = callable_tools(*chat);
    if (!tools.empty() && chat->tool_choice.mode != ToolChoice::Mode::none)
      form.calls = engine::constraint::AnswerForm::Calls{std::move(tools), chat->tool_choice.parallel};
    form.free = watched;
  }
  Result<engine::constraint::Program> program = engine::constraint::compile(form);
  if (!program) {
    Error error = std::move(program.error());
    error.code = Error::Code::invalid;
    error.field = field_of(request);
    return tl::unexpected(std::move(error));
  }
  return engine::Enforcement{std::move(*program), trie_};
}

}  // namespace pensieve::manage
