// MessageSink: stands between the engine's text and a client's sink for chat prompts: text becomes content,
// reasoning and tool calls. Not the parsing itself (core/reply.h) and no wire format. Thread rule: the
// engine's thread, like every sink.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/inference.h"
#include "core/reply.h"

namespace pensieve::manage {

class MessageSink final : public ReplySink {
 public:
  // One parser for each choice. `one_call`: a choice's further calls are left out.
  MessageSink(std::vector<std::unique_ptr<ReplyParser>> parsers, std::unique_ptr<ReplySink> client,
              bool one_call = false);
  void on_event(ReplyEvent event) override;

 private:
  struct Choice {
    std::unique_ptr<ReplyParser> parser;
    std::int32_t calls = 0;
    std::int64_t reasoning_tokens = 0;
    std::int32_t tokens = 0;  // of text that waits in the parser
    bool left_out = false;    // the call that is being read
  };
  void read(std::int32_t index, TextDelta delta);
  void finish(std::int32_t index, Finished finished);
  // Passes pieces on; the first text among them takes the log-probabilities and the count of tokens.
  void pass_on(std::int32_t index, TextDelta& rest);
  std::string new_call_id();

  std::vector<Choice> choices_;
  std::unique_ptr<ReplySink> client_;
  bool one_call_;
  std::vector<ReplyPiece> pieces_;  // between calls empty
};

}  // namespace pensieve::manage
