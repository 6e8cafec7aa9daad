// From what a client demands of an answer to a Program that a Matcher runs. Not the wire format of the
// demand.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/generation.h"
#include "core/reply.h"
#include "engine/constraint/graph.h"

namespace pensieve::engine::constraint {

// Thread rule: immutable; any thread may read.
struct Program {
  std::shared_ptr<const Graph> graph;
  Rule root = 0;
};

// What a whole reply must look like. Thinking comes first, as far as the model thinks; then the content, or
// calls, or whichever of both the model chooses.
struct AnswerForm {
  std::optional<Constraint> content;
  struct Calls {
    std::vector<Tool> tools;  // that may be called
    bool several = false;
  };
  EnforcedForm form;
  std::optional<Calls> calls;
  bool free = false;  // without content: any text at all, in which only calls, once begun, are enforced; the
                      // arguments of tools that are not strict are any object
  std::optional<ThinkingForm> thinking;
  std::vector<std::string> controls;  // spellings of control tokens, which the format's own texts may use
};

// Whether calls of that form can be enforced in a reply that is free not to call (AnswerForm::free).
bool can_watch(const EnforcedForm& form);

// Errors: unsupported, naming the keyword or the place in the pattern or grammar. Bounded in time and memory.
Result<Program> compile(const Constraint& constraint);
Result<Program> compile(const AnswerForm& form);

}  // namespace pensieve::engine::constraint
