// One question at a time to a model in this process, with the answer streamed to standard output.
// Not the terminal's side (verbs/run.cpp): no prompts, no commands.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/inference.h"
#include "tools/interrupts.h"

namespace pensieve::tools {

struct Answer {
  std::string text;
  FinishReason reason = FinishReason::stop;
  Usage usage;
  Timings timings;
};

class Conversation {
 public:
  // `settings` is the pattern of every question: sampling and limits. `plain` shows bytes as they come (not a
  // terminal).
  Conversation(Inference& model, Interrupts& interrupts, GenerationRequest settings, bool plain);

  // Prints the answer while it is made. An interrupt cancels it; what has been said by then is the answer.
  Result<Answer> ask(std::variant<ChatRequest, std::string, std::vector<std::int32_t>> prompt);

 private:
  Inference& model_;
  Interrupts& interrupts_;
  GenerationRequest settings_;
  bool plain_;
};

}  // namespace pensieve::tools
