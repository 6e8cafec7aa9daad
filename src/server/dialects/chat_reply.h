// Answers of a chat completion in OpenAI's form: ChatDocument whole, ChatStream as chunks.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "server/dialects/generation_fields.h"
#include "server/dialects/reply_parts.h"
#include "server/exchange.h"
#include "server/generation.h"

namespace pensieve::server {

// Adds a piece of a call to the calls of its choice: the first piece of each has its name.
void add_call_piece(const ToolCallDelta& delta, std::vector<ToolCall>& calls);

class ChatDocument final : public GenerationReceiver {
 public:
  ChatDocument(const Call& call, ReplyHead head);
  void begin() override {}
  void receive(std::size_t generation, ReplyEvent& event) override;
  std::string text() const;  // the whole reply
  const Usage& usage() const { return usage_.total(); }

 private:
  struct Choice {
    std::string content, reasoning;
    std::vector<ToolCall> calls;
    std::string logprobs;  // entries, with commas
    FinishReason reason = FinishReason::stop;
  };
  ReplyHead head_;
  bool logprobs_;
  std::vector<Choice> choices_;
  UsageSum usage_{1};
};

class ChatStream final : public GenerationReceiver {
 public:
  ChatStream(const Call& call, ReplyHead head, Exchange& exchange);
  void begin() override { exchange_.begin_events(); }
  void receive(std::size_t generation, ReplyEvent& event) override;
  void finish();  // after the last event: usage if asked for, and the end mark
  const Usage& usage() const { return usage_.total(); }

 private:
  void send(std::int32_t choice, std::string_view delta, std::string_view logprobs,
            std::string_view finish_reason, std::string_view extra = {});
  void measure(const ReplyEvent& event);
  void append_progress();
  void send_text(std::int32_t choice, const TextDelta& delta);
  void send_call(std::int32_t choice, const ToolCallDelta& delta);
  Exchange& exchange_;
  using Clock = std::chrono::steady_clock;

  bool logprobs_, include_usage_, timings_per_token_;
  std::int32_t open_;
  Usage so_far_;                           // of all choices, for timings before the end
  Clock::time_point started_{}, first_{};  // of the first choice: admitted, first text
  std::string front_;                      // of every chunk, up to the choices
  std::string chunk_;                      // reused
  UsageSum usage_{1};
};

}  // namespace pensieve::server
