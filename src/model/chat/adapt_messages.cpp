// The single steps of adaptation, in the order in which they build on one another.
#include "model/chat/adapt_messages.h"

#include <array>
#include <iterator>

#include "util/json.h"

namespace pensieve::model {
namespace {

constexpr std::array<Adaptation, 6> kAdaptations{{
    {.null_as_empty = true},
    {.null_as_empty = true, .alternate = true},
    {.null_as_empty = true, .alternate = true, .move_late_system = true},
    {.null_as_empty = true, .alternate = true, .move_late_system = true, .tools_as_text = true},
    {.null_as_empty = true,
     .alternate = true,
     .move_late_system = true,
     .tools_as_text = false,
     .move_system = true},
    {.null_as_empty = true,
     .alternate = true,
     .move_late_system = true,
     .tools_as_text = true,
     .move_system = true},
}};

std::string joined(const std::string& first, const std::string& second) {
  if (first.empty() || second.empty()) return first + second;
  return first + "\n\n" + second;
}

ChatMessage user_message(std::string content) {
  ChatMessage message;
  message.role = "user";
  message.content = std::move(content);
  return message;
}

std::string call_text(const ToolCall& call) {
  std::string text = R"({"name": ")";
  util::json_escape(call.name, text);
  return text + R"(", "arguments": )" + (call.arguments.empty() ? "{}" : call.arguments) + "}";
}

void write_tools_as_text(std::vector<ChatMessage>& messages) {
  for (ChatMessage& message : messages) {
    std::string content = message.content.value_or("");
    if (message.role == "tool") {
      const std::string heading =
          message.name.empty() ? "Tool result:\n" : "Result of " + message.name + ":\n";
      message = user_message(heading + content);
      continue;
    }
    for (const ToolCall& call : message.tool_calls) content = joined(content, call_text(call));
    if (!message.tool_calls.empty()) message.content = std::move(content);
    message.tool_calls.clear();
  }
}

// Texts of system messages wait for the next user message; what still waits at the end becomes one.
std::vector<ChatMessage> move_systems(std::vector<ChatMessage> messages, bool leading_too) {
  std::vector<ChatMessage> moved;
  std::string waiting;
  bool leading = true;
  for (ChatMessage& message : messages) {
    if (message.role == "system" && (leading_too || !leading)) {
      waiting = joined(waiting, message.content.value_or(""));
      continue;
    }
    leading = leading && message.role == "system";
    if (message.role == "user" && !waiting.empty())
      message.content = joined(std::exchange(waiting, {}), message.content.value_or(""));
    moved.push_back(std::move(message));
  }
  if (!waiting.empty()) moved.push_back(user_message(std::move(waiting)));
  return moved;
}

// Results of different calls stay apart: each answers its own call.
bool mergeable(const ChatMessage& first, const ChatMessage& second) {
  return first.role == second.role && first.role != "tool";
}

void merge_into(ChatMessage& first, ChatMessage second) {
  if (first.content || second.content)
    first.content = joined(first.content.value_or(""), second.content.value_or(""));
  first.reasoning_content = joined(first.reasoning_content, second.reasoning_content);
  std::move(second.tool_calls.begin(), second.tool_calls.end(), std::back_inserter(first.tool_calls));
}

std::vector<ChatMessage> alternate(std::vector<ChatMessage> messages) {
  std::vector<ChatMessage> result;
  for (ChatMessage& message : messages) {
    const bool opens = result.empty() || (result.size() == 1 && result.front().role == "system");
    if (opens && (message.role == "assistant" || message.role == "tool")) result.push_back(user_message(""));
    if (!result.empty() && mergeable(result.back(), message)) {
      merge_into(result.back(), std::move(message));
    } else {
      result.push_back(std::move(message));
    }
  }
  return result;
}

}  // namespace

std::span<const Adaptation> adaptations() {
  return kAdaptations;
}

std::vector<ChatMessage> with_known_roles(std::vector<ChatMessage> messages) {
  for (ChatMessage& message : messages) {
    if (message.role == "developer") message.role = "system";
  }
  return messages;
}

std::vector<ChatMessage> adapt_messages(const std::vector<ChatMessage>& messages,
                                        const Adaptation& adaptation) {
  std::vector<ChatMessage> adapted = messages;
  if (adaptation.null_as_empty) {
    for (ChatMessage& message : adapted) {
      if (!message.content) message.content.emplace();
    }
  }
  if (adaptation.tools_as_text) write_tools_as_text(adapted);
  if (adaptation.move_late_system) adapted = move_systems(std::move(adapted), adaptation.move_system);
  if (adaptation.alternate) adapted = alternate(std::move(adapted));
  return adapted;
}

}  // namespace pensieve::model
