// Evaluator: construction, variables, and the walk over statements. Expressions are in
// evaluate_expression.cpp, loops and macros in loop.cpp and macro.cpp.
#include "model/chat/jinja/evaluator.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/chat/jinja/evaluator_frames.h"
#include "model/chat/jinja/functions.h"
#include "model/chat/jinja/objects.h"
#include "model/chat/jinja/printing.h"

namespace pensieve::model::jinja {

Evaluator::Evaluator(const Program& program, Budget& budget, const EvaluatorOptions& options)
    : program_(program),
      budget_(budget),
      options_(options),
      globals_(program.names.size()),
      global_defined_(program.names.size()),
      scope_(std::make_shared<Scope>()) {
  define_functions(*this);
}

Evaluator::~Evaluator() = default;

void Evaluator::define(std::string_view name, Value value) {
  const auto at = std::find(program_.names.begin(), program_.names.end(), name);
  if (at == program_.names.end()) return;
  const auto id = static_cast<std::size_t>(at - program_.names.begin());
  globals_[id] = std::move(value);
  global_defined_[id] = true;
}

Text Evaluator::render() {
  SinkFrame sink(*this);
  execute(program_.body);
  return sink.finish();
}

Value Evaluator::make_namespace(std::vector<std::pair<Text, Value>> attributes) {
  auto created = std::make_unique<Namespace>();
  created->charge = Charge(&budget_, sizeof(Namespace) + 64);
  for (auto& [name, value] : attributes) created->set(budget_, name, std::move(value));
  namespaces_.push_back(std::move(created));
  return Value(ObjectPtr(std::shared_ptr<void>(), namespaces_.back().get()));
}

ListPtr& Evaluator::remember() {
  budget_.step();
  remembered_.push_back(std::make_unique<ListPtr>());
  return *remembered_.back();
}

const std::shared_ptr<Scope>& Evaluator::keep_scope() {
  for (const std::shared_ptr<Scope>* scope = &scope_; *scope && !(*scope)->kept; scope = &(*scope)->parent) {
    (*scope)->charge = Charge(&budget_, sizeof(Scope) + 256);
    (*scope)->kept = true;
    kept_scopes_.push_back(*scope);
  }
  return scope_;
}

void Evaluator::locate(Failure& failure, const Expression& expression) const {
  if (failure.located) return;
  failure.located = true;
  const std::string_view source =
      std::string_view(program_.source).substr(expression.begin, expression.end - expression.begin);
  failure.error.what =
      fmt::format("template line {}: {}, in '{}'", expression.line, failure.error.what, excerpt(source));
  failure.error.numbers.emplace_back("line", expression.line);
}

Evaluator::Flow Evaluator::execute(const Body& body) {
  const Depth depth(*this);
  for (const Statement& statement : body) {
    const Flow flow = execute_statement(statement);
    if (flow != Flow::next) return flow;
  }
  return Flow::next;
}

Evaluator::Flow Evaluator::execute_statement(const Statement& statement) {
  budget_.step();
  try {
    return std::visit([this](const auto& form) { return run(form); }, statement.form);
  } catch (Failure& failure) {
    if (!failure.located) {
      failure.located = true;
      failure.error.what = fmt::format("template line {}: {}", statement.line, failure.error.what);
      failure.error.numbers.emplace_back("line", statement.line);
    }
    throw;
  }
}

Evaluator::Flow Evaluator::run(const DataStatement& statement) {
  sink_->append(statement.text);
  return Flow::next;
}

Evaluator::Flow Evaluator::run(const OutputStatement& statement) {
  for (const ExpressionPtr& value : statement.values) append_text(*sink_, evaluate(*value));
  return Flow::next;
}

Evaluator::Flow Evaluator::run(const IfStatement& statement) {
  for (const IfStatement::Branch& branch : statement.branches) {
    if (evaluate(*branch.condition).truthy()) return execute(branch.body);
  }
  return execute(statement.otherwise);
}

Evaluator::Flow Evaluator::run(const SetStatement& statement) {
  assign(statement.target, evaluate(*statement.value));
  return Flow::next;
}

Evaluator::Flow Evaluator::run(const SetBlockStatement& statement) {
  Flow flow = Flow::next;
  Value value;
  {
    SinkFrame sink(*this);
    const ScopeFrame scope(*this);
    flow = execute(statement.body);
    value = Value(sink.finish());
  }
  if (flow != Flow::next) return flow;
  assign(statement.target, statement.filter ? filter_text(*statement.filter, std::move(value)) : value);
  return Flow::next;
}

Evaluator::Flow Evaluator::run(const FilterBlockStatement& statement) {
  Flow flow = Flow::next;
  Value value;
  {
    SinkFrame sink(*this);
    const ScopeFrame scope(*this);
    flow = execute(statement.body);
    value = Value(sink.finish());
  }
  if (flow != Flow::next) return flow;
  append_text(*sink_, filter_text(*statement.filter, std::move(value)));
  return Flow::next;
}

Evaluator::Flow Evaluator::run(const ScopeStatement& statement) {
  // The values of `with` are computed outside: they do not see one another.
  std::vector<Value> values;
  for (const SetStatement& variable : statement.variables) values.push_back(evaluate(*variable.value));
  const ScopeFrame scope(*this);
  for (std::size_t i = 0; i < values.size(); ++i) assign(statement.variables[i].target, values[i]);
  return execute(statement.body);
}

void Evaluator::assign(const Target& target, const Value& value) {
  budget_.step(1 + scope_->variables.size() / 32);
  switch (target.form) {
    case Target::Form::name:
      scope_->set(target.name, value);
      return;
    case Target::Form::attribute: {
      const Value object = variable(target.name);
      auto* space = object.is(Kind::object) ? dynamic_cast<Namespace*>(object.object().get()) : nullptr;
      if (space == nullptr)
        fail_runtime(
            fmt::format("cannot assign attribute '{}': only namespace() objects have assignable attributes",
                        target.attribute.view()));
      return space->set(budget_, target.attribute, value);
    }
    case Target::Form::tuple:
      break;
  }
  const ListPtr items = iterate(value);
  if (items->items.size() != target.parts.size()) {
    fail_runtime(
        fmt::format("cannot unpack {} values into {} names", items->items.size(), target.parts.size()));
  }
  for (std::size_t i = 0; i < target.parts.size(); ++i) assign(target.parts[i], items->items[i]);
}

}  // namespace pensieve::model::jinja
