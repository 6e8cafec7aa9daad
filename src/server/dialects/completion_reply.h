// Answers of a text completion in OpenAI's old form: CompletionDocument whole, CompletionStream as chunks.
// Choices of all prompts are numbered through: prompt times n plus choice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/dialects/completion_request.h"
#include "server/dialects/reply_parts.h"
#include "server/exchange.h"
#include "server/generation.h"

namespace pensieve::server {

// Log-probabilities as four lists side by side; offsets count characters from the start of the choice's text.
class OldLogprobs {
 public:
  // `first_unknown`: the first token has no probability (it begins the prompt).
  void add(const std::vector<TokenLogprob>& tokens, bool first_unknown);
  std::string take();  // the object, and begins anew; offsets go on
  bool empty() const { return tokens_.empty(); }

 private:
  std::string tokens_, logprobs_, top_, offsets_;
  std::int64_t offset_ = 0;
};

class CompletionDocument final : public GenerationReceiver {
 public:
  // `echoes`: for each prompt the text that stands before its answers; empty without echo.
  CompletionDocument(const CompletionCall& completion, ReplyHead head,
                     const std::vector<std::string>& echoes);
  void begin() override {}
  void receive(std::size_t generation, ReplyEvent& event) override;
  std::string text();
  const Usage& usage() const { return usage_.total(); }

 private:
  struct Choice {
    std::string text;
    OldLogprobs logprobs;
    FinishReason reason = FinishReason::stop;
  };
  ReplyHead head_;
  bool logprobs_;
  std::size_t per_prompt_;
  std::vector<Choice> choices_;
  UsageSum usage_;
};

class CompletionStream final : public GenerationReceiver {
 public:
  CompletionStream(const CompletionCall& completion, ReplyHead head, std::vector<std::string> echoes,
                   Exchange& exchange);
  void begin() override { exchange_.begin_events(); }
  void receive(std::size_t generation, ReplyEvent& event) override;
  void finish();
  const Usage& usage() const { return usage_.total(); }

 private:
  void send(std::size_t choice, std::string_view text, std::string_view finish_reason,
            std::string_view extra = {});
  Exchange& exchange_;
  bool logprobs_, include_usage_;
  std::size_t per_prompt_, open_;
  std::vector<std::string> echoes_;
  std::vector<OldLogprobs> waiting_;  // for each choice, not yet sent
  std::string front_, chunk_;
  UsageSum usage_;
};

}  // namespace pensieve::server
