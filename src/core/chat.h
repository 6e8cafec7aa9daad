// ChatRequest: a conversation as a client means it, whatever API it came by, and ChatFormat, which turns it
// into a prompt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace pensieve {

struct ToolCall {
  std::string id, name;
  std::string arguments;  // JSON text of an object
};

struct ChatMessage {
  std::string role;                    // system, user, assistant, tool
  std::optional<std::string> content;  // nothing: null (an assistant message of tool calls only)
  std::string reasoning_content;
  std::vector<ToolCall> tool_calls;
  std::string tool_call_id, name;
};

// A function that the model may call.
struct Tool {
  std::string name, description;
  std::string parameters;  // JSON text of a JSON Schema; empty: the tool takes none
  bool strict = false;
};

// What the client allows, or demands, of calls. Demands are enforced by the sampler.
struct ToolChoice {
  enum class Mode : std::uint8_t { automatic, none, required };
  Mode mode = Mode::automatic;
  std::vector<std::string> names;  // only these may be called; empty: all that are offered
  bool parallel = true;            // false: one call at most
};

struct ChatRequest {
  std::vector<ChatMessage> messages;
  std::vector<Tool> tools;
  ToolChoice tool_choice;
  bool add_generation_prompt = true;
  std::string template_arguments;  // JSON text of an object: extra variables for the template; empty: none
};

// What a template made of a conversation. Text from messages never becomes a control token: the prompt is a
// list of pieces, and only pieces written by the template itself are parsed for special tokens.
struct Prompt {
  struct Piece {
    std::string text;
    bool parse_special = true;
  };
  std::vector<Piece> pieces;
  std::string text() const {
    std::string all;
    for (const Piece& piece : pieces) all += piece.text;
    return all;
  }
};

// Thread rule: immutable; any thread may call.
class ChatFormat {
 public:
  virtual ~ChatFormat() = default;
  virtual Result<Prompt> render(const ChatRequest& request) const = 0;
};

}  // namespace pensieve
