// Answers of Ollama's /api/generate and /api/chat: one object, or one object a line. Durations are in
// nanoseconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat.h"
#include "server/exchange.h"
#include "server/generation.h"

namespace pensieve::server {

// What is constant over one reply.
struct OllamaHead {
  bool chat = false;  // "message" instead of "response"
  std::string model;
  std::chrono::steady_clock::time_point began;
  std::chrono::nanoseconds load{0};  // until the model was there
};

class OllamaReply final : public GenerationReceiver {
 public:
  OllamaReply(OllamaHead head, bool streamed, bool logprobs, Exchange& exchange)
      : head_(std::move(head)), streamed_(streamed), logprobs_(logprobs), exchange_(exchange) {}
  void begin() override {
    if (streamed_) exchange_.begin_lines();
  }
  void receive(std::size_t generation, ReplyEvent& event) override;
  void finish();  // after the last event: the last line, or the whole reply
  const Usage& usage() const { return finished_.usage; }

 private:
  // What a line says, or the whole reply.
  struct Part {
    std::string content, thinking;
    std::string logprobs;  // entries, with commas
    std::vector<ToolCall> calls;
  };
  void append_part(const Part& part, std::string& out) const;
  void send_part();
  void take_call(const ToolCallDelta& delta);

  const OllamaHead head_;
  const bool streamed_, logprobs_;
  Exchange& exchange_;
  Part part_;  // not yet sent
  std::size_t calls_sent_ = 0;
  bool call_open_ = false;  // the latest call of part_ still grows
  Finished finished_;
};

// What is answered when nothing was asked but to load ("load") or unload ("unload") the model.
std::string ollama_load_text(const OllamaHead& head, std::string_view done_reason);

// A moment as "2026-01-31T12:00:00.123456789Z".
std::string ollama_time(std::chrono::system_clock::time_point time);

}  // namespace pensieve::server
