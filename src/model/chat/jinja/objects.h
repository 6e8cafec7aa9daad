// The objects a template can hold: namespace, macro, loop, bound method, function. Each is small; the
// evaluator acts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/methods.h"
#include "model/chat/jinja/syntax.h"

namespace pensieve::model::jinja {

// namespace(...): the one thing that a template can change in place. Owned by the evaluator, so that a
// namespace that holds itself is no leak; values point to it without owning it.
class Namespace : public Object {
 public:
  std::string_view type_name() const override { return "Namespace"; }
  std::optional<Value> attribute(Evaluator& evaluator, std::string_view name) override;
  void set(Budget& budget, const Text& name, Value value);

 private:
  std::vector<std::pair<Text, Value>> attributes_;
};

class Macro : public Object {
 public:
  Macro(const MacroStatement& statement, std::weak_ptr<Scope> scope)
      : statement_(statement), scope_(std::move(scope)) {}
  std::string_view type_name() const override { return "Macro"; }
  bool callable() const override { return true; }
  std::optional<Value> attribute(Evaluator& evaluator, std::string_view name) override;
  Value call(Evaluator& evaluator, const Arguments& arguments) override {
    return evaluator.call_macro(*this, arguments);
  }
  const MacroStatement& statement() const { return statement_; }
  std::shared_ptr<Scope> scope() const { return scope_.lock(); }

 private:
  const MacroStatement& statement_;
  std::weak_ptr<Scope> scope_;  // kept by the evaluator; weak, as the scope holds the macro
};

// `loop` inside a for statement.
class Loop : public Object, public std::enable_shared_from_this<Loop> {
 public:
  Loop(const ForStatement& statement, ListPtr items, std::uint32_t level, std::weak_ptr<Scope> scope)
      : statement_(statement), items_(std::move(items)), level_(level), scope_(std::move(scope)) {}
  std::string_view type_name() const override { return "LoopContext"; }
  std::optional<Value> attribute(Evaluator& evaluator, std::string_view name) override;
  bool callable() const override { return true; }
  Value call(Evaluator& evaluator, const Arguments& arguments) override;
  std::string describe() const override;

  Value cycle(const Arguments& arguments) const;
  Value changed(Evaluator& evaluator, const Arguments& arguments);
  void advance(std::size_t index) { index_ = index; }
  const ForStatement& statement() const { return statement_; }
  std::uint32_t level() const { return level_; }
  std::shared_ptr<Scope> scope() const { return scope_.lock(); }

 private:
  const ForStatement& statement_;
  ListPtr items_;
  std::size_t index_ = 0;
  std::uint32_t level_;
  std::weak_ptr<Scope> scope_;  // where a recursive call starts
  ListPtr* last_ = nullptr;     // what `changed` was called with; owned by the evaluator
};

// A method taken from its value without being called: `x.items`.
class BoundMethod : public Object {
 public:
  BoundMethod(Value self, const Method& method) : self_(std::move(self)), method_(method) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  bool callable() const override { return true; }
  Value call(Evaluator& evaluator, const Arguments& arguments) override {
    return method_.apply(evaluator, self_, arguments);
  }

 private:
  Value self_;
  const Method& method_;
};

// A global function, or a method of an object.
class Function : public Object {
 public:
  using Apply = Value (*)(Evaluator&, const ObjectPtr& self, const Arguments&);
  Function(Apply apply, ObjectPtr self) : apply_(apply), self_(std::move(self)) {}
  std::string_view type_name() const override { return "function"; }
  bool callable() const override { return true; }
  Value call(Evaluator& evaluator, const Arguments& arguments) override {
    return apply_(evaluator, self_, arguments);
  }

 private:
  Apply apply_;
  ObjectPtr self_;
};

}  // namespace pensieve::model::jinja
