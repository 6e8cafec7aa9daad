// Evaluator: macros, call blocks, and the objects that belong to them.
#include <fmt/format.h>

#include <algorithm>

#include "model/chat/jinja/evaluator_frames.h"
#include "model/chat/jinja/objects.h"
#include "model/chat/jinja/printing.h"

namespace pensieve::model::jinja {

Value Evaluator::make_macro(const MacroStatement& statement) {
  return Value(ObjectPtr(make_object<Macro>(budget_, 0, statement, keep_scope())));
}

Evaluator::Flow Evaluator::run(const MacroStatement& statement) {
  scope_->set(statement.name, make_macro(statement));
  return Flow::next;
}

Evaluator::Flow Evaluator::run(const CallBlockStatement& statement) {
  Arguments extra;
  extra.named.emplace_back(statement.caller.text, make_macro(statement.caller));
  append_text(*sink_, evaluate_call(*statement.call, std::move(extra)));
  return Flow::next;
}

Value Evaluator::call_macro(const Macro& macro, const Arguments& arguments) {
  if (macro_depth_ >= options_.macro_depth)
    fail_budget(fmt::format("macro calls are nested deeper than {} levels", options_.macro_depth));
  ++macro_depth_;
  struct Leave {
    std::uint32_t& depth;
    ~Leave() { --depth; }
  } leave{macro_depth_};
  SinkFrame sink(*this);
  const ScopeFrame scope(*this, macro.scope());
  bind(macro.statement().signature, arguments);
  execute(macro.statement().body);
  return Value(sink.finish());
}

void Evaluator::bind(const Signature& signature, const Arguments& arguments) {
  const auto& parameters = signature.parameters;
  const std::size_t passed = std::min(arguments.positional.size(), parameters.size());
  scope_->set(signature.varargs, signature.no_positional);
  scope_->set(signature.kwargs, signature.no_named);
  scope_->set(signature.caller, Value());
  if (arguments.positional.size() > passed) {
    ListBuilder rest(&budget_);
    for (std::size_t i = passed; i < arguments.positional.size(); ++i) rest.push(arguments.positional[i]);
    scope_->set(signature.varargs, std::move(rest).finish(ListForm::tuple));
  }
  std::vector<bool> bound(parameters.size());
  const auto set = [&](std::size_t index, Value value) {
    bound[index] = true;
    scope_->set(parameters[index].name, std::move(value));
  };
  for (std::size_t i = 0; i < passed; ++i) set(i, arguments.positional[i]);
  DictBuilder rest(&budget_);
  for (const auto& [name, value] : arguments.named) {
    budget_.step();
    const auto at = std::find_if(
        parameters.begin(), parameters.end(),
        [&name = name](const Parameter& parameter) { return parameter.text.view() == name.view(); });
    const auto index = static_cast<std::size_t>(at - parameters.begin());
    if (index == parameters.size() && name.view() == "caller") {
      scope_->set(signature.caller, value);
    } else if (index == parameters.size()) {
      rest.set(Value(name), value);
    } else if (bound[index]) {
      fail_runtime(fmt::format("the macro got several values for '{}'", name.view()));
    } else {
      set(index, value);
    }
  }
  if (rest.size() > 0) scope_->set(signature.kwargs, std::move(rest).finish());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (bound[i]) continue;
    const Parameter& parameter = parameters[i];
    set(i, parameter.fallback
               ? evaluate(*parameter.fallback)
               : Value::undefined(fmt::format("parameter '{}' was not provided", parameter.text.view())));
  }
}

std::optional<Value> Macro::attribute(Evaluator& evaluator, std::string_view name) {
  if (name == "name") return Value(statement_.text);
  if (name == "arguments") {
    ListBuilder names(&evaluator.budget());
    for (const Parameter& parameter : statement_.signature.parameters) names.push(Value(parameter.text));
    return std::move(names).finish(ListForm::tuple);
  }
  return std::nullopt;
}

std::optional<Value> Namespace::attribute(Evaluator& evaluator, std::string_view name) {
  evaluator.budget().step(1 + attributes_.size() / 32);
  for (const auto& [key, value] : attributes_) {
    if (key.view() == name) return value;
  }
  return std::nullopt;
}

void Namespace::set(Budget& budget, const Text& name, Value value) {
  budget.step(1 + attributes_.size() / 32);
  for (auto& [key, old] : attributes_) {
    if (key.view() == name.view()) {
      old = std::move(value);
      return;
    }
  }
  charge.grow(sizeof(std::pair<Text, Value>));
  attributes_.emplace_back(name, std::move(value));
}

}  // namespace pensieve::model::jinja
