// Scope: the variables of one block (template, loop round, macro call) and a link to the block around it.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "model/chat/jinja/syntax.h"

namespace pensieve::model::jinja {

// Shared because a macro keeps the scopes that it was defined in; the evaluator holds those until the end, so
// scopes and macros never own each other.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<NameId, Value>> variables;
  bool kept = false;  // a macro or a recursive loop refers to it
  Charge charge;

  const Value* find(NameId name) const {
    for (const auto& [id, value] : variables) {
      if (id == name) return &value;
    }
    return nullptr;
  }
  void set(NameId name, Value value) {
    for (auto& [id, old] : variables) {
      if (id == name) {
        old = std::move(value);
        return;
      }
    }
    variables.emplace_back(name, std::move(value));
  }
};

}  // namespace pensieve::model::jinja
