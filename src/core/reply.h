// ReplyFormat: the other half of a ChatFormat (core/chat.h): what the model writes becomes a message of
// content, reasoning and tool calls. Not a wire format (server/dialects).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat.h"

namespace pensieve {

// A piece of the message that a reply means. Pieces of one kind in a row are one text; nothing is taken back.
struct ReplyPiece {
  enum class Kind : std::uint8_t { content, reasoning, call, arguments };
  Kind kind = Kind::content;
  std::string text;  // call: the tool's name, and a new call begins; arguments: JSON text of the latest call
};

// Reads one reply of the model, however it is cut into pieces: the pieces joined are always the same message.
// Thread rule: one thread at a time.
class ReplyParser {
 public:
  virtual ~ReplyParser() = default;
  // Appends to `out` what is certain now; the rest waits for more text.
  virtual void feed(std::string_view text, std::vector<ReplyPiece>& out) = 0;
  // The reply ends here; called once, after the last feed.
  virtual void finish(std::vector<ReplyPiece>& out) = 0;
  // Whether what was fed so far ends in a thinking block: tokens that come now count as reasoning.
  virtual bool thinking() const = 0;
};

// Calls whose arguments are written one by one, texts as they are and other values as JSON: OPEN BEFORE_NAME
// name AFTER_NAME (KEY_OPEN key KEY_END VALUE_OPEN value VALUE_END)… AFTER_ARGUMENTS (BETWEEN the next one)…
// CLOSE.
struct ParameterForm {
  std::string open, before_name, after_name, key_open, key_end, value_open, value_end, after_arguments,
      between, close;
};
// How an answer is written when the sampler enforces it. Calls: OPEN BEFORE_NAME name AFTER_NAME {arguments}
// AFTER_ARGUMENTS (BETWEEN the next one)… CLOSE. An empty `between`: only one call can be written.
struct EnforcedForm {
  std::string content;  // stands before constrained content
  std::string open, before_name, after_name, after_arguments, between, close;
  // Texts by which a reply that the sampler leaves free begins a call, in this form or, where there is one,
  // in that of `parameters`. The form begins with one of them, unless `bare`.
  std::vector<std::string> openers = {};
  std::optional<ParameterForm> parameters = {};
  bool bare = false;  // a JSON value with which a free reply begins may be a call as well
};
// How the model marks thinking.
struct ThinkingForm {
  std::string open, close;
  bool is_open = false;  // the prompt has opened it
};

// Thread rule: immutable; any thread may call.
class ReplyFormat {
 public:
  virtual ~ReplyFormat() = default;
  // For the reply to `request` after a prompt that ends in `prompt_tail` (nothing: unknown; its last few
  // hundred bytes suffice). The parser is independent of the format and the request.
  virtual std::unique_ptr<ReplyParser> parser(const ChatRequest& request,
                                              std::optional<std::string_view> prompt_tail) const = 0;
  virtual EnforcedForm enforced_form() const = 0;
  // For replies that are calls in that form and nothing else: their arguments are passed on as they come.
  virtual std::unique_ptr<ReplyParser> enforced_parser(std::string_view prompt_tail) const = 0;
  // Nothing: the model does not think, or the prompt has ended it.
  virtual std::optional<ThinkingForm> thinking(std::string_view prompt_tail) const = 0;
  // Texts that mean something in replies: control tokens that are part of one must reach the parser as text.
  virtual std::span<const std::string> markers() const = 0;
};

}  // namespace pensieve
