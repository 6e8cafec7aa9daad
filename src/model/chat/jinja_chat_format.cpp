// JinjaChatFormat: tries the conversation as it is, then its adaptations, and cuts the output into pieces by
// origin.
#include "model/chat/jinja_chat_format.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "model/chat/adapt_messages.h"
#include "model/chat/chat_variables.h"
#include "model/chat/jinja/failure.h"
#include "model/chat/template.h"
#include "util/json.h"

namespace pensieve::model {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// Where `wanted` stands in `text`, at or after `from`; npos when nowhere. memmem is linear even for hostile
// texts.
std::size_t place_of(std::string_view text, std::string_view wanted, std::size_t from) {
  const void* at = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
  return at == nullptr ? std::string_view::npos
                       : static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
}

// Searches a prompt for what was said. Prompts nearly always keep the order of the conversation, so each
// search goes on where the last one ended.
class PromptSearch {
 public:
  explicit PromptSearch(std::string_view prompt) : prompt_(prompt) {}

  bool has(std::string_view wanted) {
    std::size_t at = place_of(prompt_, wanted, from_);
    if (at == std::string_view::npos) at = place_of(prompt_, wanted, 0);
    if (at == std::string_view::npos) return false;
    from_ = std::max(from_, at + wanted.size());
    return true;
  }
  bool has_content(const std::optional<std::string>& content) {
    const std::string_view wanted = trimmed(content ? std::string_view(*content) : std::string_view());
    if (wanted.empty() || has(wanted)) return true;
    std::string escaped;  // tool results are often written as JSON
    util::json_escape(wanted, escaped);
    return escaped != wanted && has(escaped);
  }

 private:
  std::string_view prompt_;
  std::size_t from_ = 0;
};

// Whether the prompt holds everything that users, the system and tools said, and every tool call. Some
// templates lose messages without refusing them: a second system message, or tool calls that they do not
// know. The text of replies is left out, as dropping old reasoning is legitimate.
bool keeps_everything(std::string_view prompt, const std::vector<ChatMessage>& messages) {
  PromptSearch search(prompt);
  for (const ChatMessage& message : messages) {
    if (message.role != "assistant" && !search.has_content(message.content)) return false;
    for (const ToolCall& call : message.tool_calls) {
      if (!search.has(call.name)) return false;
    }
  }
  return true;
}

Prompt to_prompt(const RenderedText& rendered) {
  Prompt prompt;
  std::size_t at = 0;
  const auto add = [&](std::size_t end, bool parse_special) {
    if (end > at) prompt.pieces.push_back({rendered.text.substr(at, end - at), parse_special});
    at = end;
  };
  for (const RenderedText::Span& span : rendered.foreign) {
    add(span.begin, true);
    add(span.end, false);
  }
  add(rendered.text.size(), true);
  return prompt;
}

class JinjaChatFormat : public ChatFormat {
 public:
  JinjaChatFormat(Template parsed, std::string bos_text, std::string eos_text)
      : template_(std::move(parsed)), bos_text_(std::move(bos_text)), eos_text_(std::move(eos_text)) {}

  Result<Prompt> render(const ChatRequest& request) const override {
    Result<ChatVariables> variables = ChatVariables::make(request, bos_text_, eos_text_);
    if (!variables) return tl::unexpected(variables.error());
    const std::vector<ChatMessage> messages = with_known_roles(request.messages);
    Result<RenderedText> first = attempt(*variables, messages);
    if (first && keeps_everything(first->text, messages)) return to_prompt(*first);
    if (!first && first.error().code == Error::Code::exhausted) return tl::unexpected(first.error());
    for (const Adaptation& adaptation : adaptations()) {
      const Result<RenderedText> next = attempt(*variables, adapt_messages(messages, adaptation));
      if (next && keeps_everything(next->text, messages)) return to_prompt(*next);
      if (next && !first) first = next;  // loses something, but better than a refusal
    }
    if (first) return to_prompt(*first);
    Error error = first.error();
    if (error.reason == jinja::kReasonRaised)
      error.what = "the model's chat template refuses this conversation: " + error.what;
    error.field = "messages";
    return tl::unexpected(std::move(error));
  }

 private:
  Result<RenderedText> attempt(const ChatVariables& variables,
                               const std::vector<ChatMessage>& messages) const {
    return template_.render_marked(variables.with_messages(messages));
  }

  Template template_;
  std::string bos_text_, eos_text_;
};

}  // namespace

Result<std::unique_ptr<ChatFormat>> make_chat_format(std::string template_source, std::string bos_text,
                                                     std::string eos_text) {
  Result<Template> parsed = Template::parse(std::move(template_source));
  if (!parsed) return tl::unexpected(parsed.error());
  return std::make_unique<JinjaChatFormat>(std::move(*parsed), std::move(bos_text), std::move(eos_text));
}

}  // namespace pensieve::model
