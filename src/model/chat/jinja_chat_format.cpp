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
#include "model/chat/tool_prompt.h"
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

// The messages that a prompt does not show: content of users, the system and tools, and names of called
// tools. The text of replies is left out, as dropping old reasoning is legitimate.
std::vector<std::size_t> missing_from(std::string_view prompt, const std::vector<ChatMessage>& messages) {
  PromptSearch search(prompt);
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const ChatMessage& message = messages[i];
    bool found = message.role == "assistant" || search.has_content(message.content);
    for (const ToolCall& call : message.tool_calls) found = found && search.has(call.name);
    if (!found) missing.push_back(i);
  }
  return missing;
}

std::string probe_word(std::size_t index) {
  return "pensieve-probe-" + std::to_string(index) + "-end";
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
      : template_(std::move(parsed)), bos_text_(std::move(bos_text)), eos_text_(std::move(eos_text)) {
    if (shows_tools(false)) {
      tools_ = Tools::shown;
    } else if (shows_tools(true)) {
      tools_ = Tools::with_system;
    }
  }

  Result<Prompt> render(const ChatRequest& request) const override {
    Result<ChatVariables> variables = ChatVariables::make(request, bos_text_, eos_text_);
    if (!variables) return tl::unexpected(variables.error());
    std::vector<ChatMessage> messages = with_known_roles(request.messages);
    if (offers_tools(request)) {
      if (tools_ == Tools::with_system) messages = with_system(std::move(messages));
      if (tools_ == Tools::unknown) messages = with_tools_in_system(std::move(messages), request.tools);
    }
    Result<RenderedText> best = attempt(*variables, messages);
    if (best && complete(*variables, messages, best->text)) return to_prompt(*best);
    if (!best && best.error().code == Error::Code::exhausted) return tl::unexpected(best.error());
    for (const Adaptation& adaptation : adaptations()) {
      const std::vector<ChatMessage> adapted = adapt_messages(messages, adaptation);
      const Result<RenderedText> next = attempt(*variables, adapted);
      if (next && complete(*variables, adapted, next->text)) return to_prompt(*next);
      if (next && !best) best = next;  // loses something, but better than a refusal
    }
    if (best) return to_prompt(*best);
    Error error = best.error();
    if (error.reason == jinja::kReasonRaised) {
      error.what = "the model's chat template refuses this conversation: " + error.what;
    }
    error.field = "messages";
    return tl::unexpected(std::move(error));
  }

 private:
  enum class Tools : std::uint8_t {
    unknown,      // the template does not look at them
    with_system,  // shown where there is a system message
    shown,
  };

  // Found by trying: whether a tool's name is in the prompt.
  bool shows_tools(bool with_system_message) const {
    ChatRequest request;
    request.tools.push_back({probe_word(0), "A tool.", R"({"type":"object","properties":{}})", false});
    ChatMessage message;
    message.role = "user";
    message.content = "Hello";
    request.messages.push_back(message);
    if (with_system_message) request.messages = with_system(std::move(request.messages));
    const Result<ChatVariables> variables = ChatVariables::make(request, bos_text_, eos_text_);
    if (!variables) return false;
    const Result<RenderedText> prompt = attempt(*variables, request.messages);
    return prompt && prompt->text.find(probe_word(0)) != std::string::npos;
  }

  Result<RenderedText> attempt(const ChatVariables& variables,
                               const std::vector<ChatMessage>& messages) const {
    return template_.render_marked(variables.with_messages(messages));
  }

  // Whether the template shows every message. Some lose messages without refusing them: a second system
  // message, or tool calls that they do not know. Others rewrite one on purpose ("/no_think" becomes a
  // setting); these show an ordinary word in its place, so that is what is tried.
  bool complete(const ChatVariables& variables, std::vector<ChatMessage> messages,
                std::string_view prompt) const {
    const std::vector<std::size_t> missing = missing_from(prompt, messages);
    if (missing.empty()) return true;
    for (std::size_t index : missing) {
      if (messages[index].role != "assistant") messages[index].content = probe_word(index);
      for (ToolCall& call : messages[index].tool_calls) call.name = probe_word(index);
    }
    const Result<RenderedText> probed = attempt(variables, messages);
    return probed && missing_from(probed->text, messages).empty();
  }

  Template template_;
  std::string bos_text_, eos_text_;
  Tools tools_ = Tools::unknown;
};

}  // namespace

Result<std::unique_ptr<ChatFormat>> make_chat_format(std::string template_source, std::string bos_text,
                                                     std::string eos_text) {
  Result<Template> parsed = Template::parse(std::move(template_source));
  if (!parsed) return tl::unexpected(parsed.error());
  return std::make_unique<JinjaChatFormat>(std::move(*parsed), std::move(bos_text), std::move(eos_text));
}

}  // namespace pensieve::model
