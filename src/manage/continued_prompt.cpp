// See continued_prompt.h. No template knows how to leave a turn open: the turn is begun as for a new answer,
// and the words are put behind it.
#include "manage/continued_prompt.h"

#include <optional>
#include <utility>

namespace pensieve::manage {
namespace {

bool goes_on(const ChatRequest& request) {
  if (request.add_generation_prompt || request.messages.size() < 2) return false;
  const ChatMessage& last = request.messages.back();
  return last.role == "assistant" && last.content && last.tool_calls.empty();
}

void append(std::string text, bool parse_special, Prompt& prompt) {
  if (!text.empty()) prompt.pieces.push_back({std::move(text), parse_special});
}

}  // namespace

Result<Prompt> render_to_answer(const ChatRequest& request, const ReplyFormat* format,
                                const RenderChat& render) {
  if (!goes_on(request)) return render(request);
  ChatRequest earlier = request;
  const ChatMessage begun = std::move(earlier.messages.back());
  earlier.messages.pop_back();
  earlier.add_generation_prompt = true;
  Result<Prompt> prompt = render(earlier);
  if (!prompt || format == nullptr) {
    if (prompt) append(*begun.content, false, *prompt);
    return prompt;
  }
  const std::optional<ThinkingForm> thinking = format->thinking(prompt->text());
  if (thinking && (thinking->is_open || !begun.reasoning_content.empty())) {
    if (!thinking->is_open) append(thinking->open, true, *prompt);
    append(begun.reasoning_content, false, *prompt);
    append(thinking->close, true, *prompt);
  }
  append(format->enforced_form().content, true, *prompt);
  append(*begun.content, false, *prompt);
  return prompt;
}

}  // namespace pensieve::manage
