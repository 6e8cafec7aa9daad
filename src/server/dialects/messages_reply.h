// Answers of the Messages API: MessageDocument whole, MessageStream as events. Both see an answer as blocks,
// one after the other: thinking, text, uses of tools.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/dialects/reply_parts.h"
#include "server/exchange.h"
#include "server/generation.h"

namespace pensieve::server {

class MessageDocument final : public GenerationReceiver {
 public:
  MessageDocument(ReplyHead head, bool show_thinking)
      : head_(std::move(head)), show_thinking_(show_thinking) {}
  void begin() override {}
  void receive(std::size_t generation, ReplyEvent& event) override;
  std::string text() const;
  const Usage& usage() const { return finished_.usage; }

 private:
  struct Block {
    std::string_view type;
    std::int32_t call = -1;  // of tool_use
    std::string text;        // or the JSON text of the input
    std::string id, name;    // of tool_use
  };
  Block& block(std::string_view type, std::int32_t call);
  void append_block(const Block& entry, std::string& out) const;
  ReplyHead head_;
  bool show_thinking_;
  std::vector<Block> blocks_;
  Finished finished_;
};

class MessageStream final : public GenerationReceiver {
 public:
  MessageStream(ReplyHead head, bool show_thinking, Exchange& exchange)
      : exchange_(exchange), head_(std::move(head)), show_thinking_(show_thinking) {}
  void begin() override { exchange_.begin_events(); }
  void receive(std::size_t generation, ReplyEvent& event) override;
  const Usage& usage() const { return usage_; }

 private:
  void start(const Started& started);
  void open(std::string_view type, std::int32_t call, std::string_view head);
  void close();
  void delta(std::string_view type, std::string_view key, std::string_view text);
  void take_text(const TextDelta& text);
  void take_call(const ToolCallDelta& piece);
  void finish(const Finished& finished);
  Exchange& exchange_;
  ReplyHead head_;
  bool show_thinking_;
  std::string_view open_;  // type of the open block, empty when none is
  std::int32_t call_ = -1;
  std::int64_t index_ = -1;  // of the last block opened
  std::string data_;         // reused
  Usage usage_;
};

}  // namespace pensieve::server
