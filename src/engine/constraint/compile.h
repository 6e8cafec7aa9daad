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
  std::optional<ThinkingForm> thinking;
  std::vector<std::string> controls;  // spellings of control tokens, which the format's own texts may use
};

// Errors: unsupported, naming the keyword or the place in the pattern or grammar. Bounded in time and memory.
Result<Program> compile(const Constraint& constraint);
Result<Program> compile(const AnswerForm& form);

}  // namespace pensieve::engine::constraint
