// Evaluator: expressions. Each operation has its own function, so that a level of recursion uses little
// stack.
#include <fmt/format.h>

#include <algorithm>

#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/evaluator_frames.h"
#include "model/chat/jinja/filters.h"
#include "model/chat/jinja/methods.h"
#include "model/chat/jinja/objects.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/predicates.h"
#include "model/chat/jinja/printing.h"
#include "model/chat/jinja/slices.h"

namespace pensieve::model::jinja {

Value Evaluator::evaluate(const Expression& expression) {
  budget_.step();
  if (expression.operation == Operation::constant) return expression.value;
  if (expression.operation == Operation::name) return variable(expression.name);
  const Depth depth(*this);
  try {
    return evaluate_operation(expression);
  } catch (Failure& failure) {
    locate(failure, expression);
    throw;
  }
}

Value Evaluator::evaluate_operation(const Expression& expression) {
  const auto& operands = expression.operands;
  switch (expression.operation) {
    case Operation::constant:
      return expression.value;
    case Operation::name:
      return variable(expression.name);
    case Operation::list:
    case Operation::tuple:
      return evaluate_sequence(expression);
    case Operation::dict:
      return evaluate_dict(expression);
    case Operation::attribute:
      return attribute(evaluate(*operands[0]), expression.value.text());
    case Operation::item:
      return item(evaluate(*operands[0]), evaluate(*operands[1]));
    case Operation::slice:
      return evaluate_slice(expression);
    case Operation::call:
      return evaluate_call(expression);
    case Operation::filter:
      return evaluate_filter(expression);
    case Operation::test:
      return evaluate_test(expression);
    case Operation::negate:
      return negate(evaluate(*operands[0]));
    case Operation::positive:
      return subtract(budget_, evaluate(*operands[0]), Value(std::int64_t{0}));
    case Operation::logical_not:
      return Value(!evaluate(*operands[0]).truthy());
    case Operation::logical_and: {
      Value left = evaluate(*operands[0]);
      return left.truthy() ? evaluate(*operands[1]) : left;
    }
    case Operation::logical_or: {
      Value left = evaluate(*operands[0]);
      return left.truthy() ? left : evaluate(*operands[1]);
    }
    case Operation::compare:
      return evaluate_compare(expression);
    case Operation::concat:
      return evaluate_concat(expression);
    case Operation::conditional:
      if (evaluate(*operands[1]).truthy()) return evaluate(*operands[0]);
      return operands[2] ? evaluate(*operands[2])
                         : Value::undefined("the inline if has no else and its condition is false");
    default:
      return evaluate_binary(expression);
  }
}

Value Evaluator::variable(NameId name) {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    budget_.step(1 + scope->variables.size() / 32);
    if (const Value* value = scope->find(name)) return *value;
  }
  if (global_defined_[name]) return globals_[name];
  return Value::undefined(fmt::format("'{}' is undefined", program_.names[name]));
}

Value Evaluator::evaluate_sequence(const Expression& expression) {
  ListBuilder items(&budget_);
  for (const ExpressionPtr& operand : expression.operands) items.push(evaluate(*operand));
  return std::move(items).finish(expression.operation == Operation::list ? ListForm::list : ListForm::tuple);
}

Value Evaluator::evaluate_dict(const Expression& expression) {
  DictBuilder entries(&budget_);
  for (std::size_t i = 0; i + 1 < expression.operands.size(); i += 2) {
    Value key = evaluate(*expression.operands[i]);
    entries.set(std::move(key), evaluate(*expression.operands[i + 1]));
  }
  return std::move(entries).finish();
}

Value Evaluator::evaluate_slice(const Expression& expression) {
  const Value object = evaluate(*expression.operands[0]);
  const auto part = [&](std::size_t index) {
    return expression.operands[index] ? evaluate(*expression.operands[index]) : Value::none();
  };
  const Value start = part(1), stop = part(2), step = part(3);
  return slice_value(budget_, object, start, stop, step);
}

Value Evaluator::evaluate_binary(const Expression& expression) {
  const Value left = evaluate(*expression.operands[0]);
  const Value right = evaluate(*expression.operands[1]);
  switch (expression.operation) {
    case Operation::add:
      return add(budget_, left, right);
    case Operation::subtract:
      return subtract(budget_, left, right);
    case Operation::multiply:
      return multiply(budget_, left, right);
    case Operation::divide:
      return divide(left, right);
    case Operation::floor_divide:
      return floor_divide(left, right);
    case Operation::modulo:
      return modulo(budget_, left, right);
    default:
      return power(left, right);
  }
}

Value Evaluator::evaluate_concat(const Expression& expression) {
  TextBuilder out(budget_);
  for (const ExpressionPtr& operand : expression.operands) append_text(out, evaluate(*operand));
  return Value(std::move(out).finish());
}

Value Evaluator::evaluate_compare(const Expression& expression) {
  Value left = evaluate(*expression.operands[0]);
  for (std::size_t i = 0; i < expression.comparisons.size(); ++i) {
    Value right = evaluate(*expression.operands[i + 1]);
    bool holds = false;
    switch (expression.comparisons[i]) {
      case Comparison::equal:
        holds = equal(budget_, left, right);
        break;
      case Comparison::not_equal:
        holds = !equal(budget_, left, right);
        break;
      case Comparison::less:
        holds = order(budget_, left, right, "<") < 0;
        break;
      case Comparison::less_equal:
        holds = order(budget_, left, right, "<=") <= 0;
        break;
      case Comparison::greater:
        holds = order(budget_, left, right, ">") > 0;
        break;
      case Comparison::greater_equal:
        holds = order(budget_, left, right, ">=") >= 0;
        break;
      case Comparison::in:
        holds = contains(budget_, right, left);
        break;
      case Comparison::not_in:
        holds = !contains(budget_, right, left);
        break;
    }
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Arguments Evaluator::evaluate_arguments(const CallArguments& call) {
  Arguments arguments;
  arguments.positional.reserve(call.positional.size());
  for (const ExpressionPtr& argument : call.positional) arguments.positional.push_back(evaluate(*argument));
  for (const auto& [name, argument] : call.named) arguments.named.emplace_back(name, evaluate(*argument));
  if (call.spread) {
    const ListPtr items = iterate(evaluate(*call.spread));
    for (const Value& item : items->items) {
      budget_.step();
      arguments.positional.push_back(item);
    }
  }
  if (call.named_spread) {
    const Value dict = evaluate(*call.named_spread);
    if (!dict.is(Kind::dict))
      fail_runtime(fmt::format("argument after ** must be a mapping, not {}", dict.type_name()));
    for (const Dict::Entry& entry : dict.dict()->entries) {
      budget_.step();
      if (!entry.key.is(Kind::text)) fail_runtime("keywords must be strings");
      arguments.named.emplace_back(entry.key.text(), entry.value);
    }
  }
  return arguments;
}

// `extra` is what a call block adds: its caller.
Value Evaluator::evaluate_call(const Expression& expression, Arguments extra) {
  const Expression& callee = *expression.operands[0];
  const auto all_arguments = [&] {
    Arguments arguments = evaluate_arguments(*expression.call);
    for (auto& named : extra.named) arguments.named.push_back(std::move(named));
    return arguments;
  };
  if (callee.operation != Operation::attribute) {
    const Value function = evaluate(callee);
    return call(function, all_arguments());
  }
  const Value object = evaluate(*callee.operands[0]);
  const Text& name = callee.value.text();
  if (const Method* method = find_method(object, name.view()))
    return method->apply(*this, object, all_arguments());
  const Value function = attribute(object, name);
  return call(function, all_arguments());
}

Value Evaluator::call(const Value& callee, const Arguments& arguments) {
  budget_.step();
  if (callee.is(Kind::undefined)) fail_runtime(callee.undefined_reason());
  if (!callee.is(Kind::object)) fail_runtime(fmt::format("'{}' object is not callable", callee.type_name()));
  const ObjectPtr object = callee.object();  // alive during the call, whatever the call changes
  return object->call(*this, arguments);
}

Value Evaluator::evaluate_filter(const Expression& expression) {
  const Value input = expression.operands[0] ? evaluate(*expression.operands[0]) : chain_input_;
  if (expression.filter == nullptr)
    fail_runtime(fmt::format("no filter named '{}'", expression.value.view()));
  return expression.filter->apply(*this, input, evaluate_arguments(*expression.call));
}

Value Evaluator::filter_text(const Expression& chain, Value input) {
  // Only the head of a chain reads the input, and it does so before any argument is evaluated.
  chain_input_ = std::move(input);
  Value result = evaluate(chain);
  chain_input_ = Value();
  return result;
}

Value Evaluator::evaluate_test(const Expression& expression) {
  const Value subject = evaluate(*expression.operands[0]);
  if (expression.test == nullptr) fail_runtime(fmt::format("no test named '{}'", expression.value.view()));
  return Value(expression.test->holds(*this, subject, evaluate_arguments(*expression.call)));
}

Value Evaluator::apply_filter(const Value& name, const Value& input, const Arguments& arguments) {
  budget_.step();
  const FilterEntry* filter = name.is(Kind::text) ? find_filter(name.view()) : nullptr;
  if (filter == nullptr)
    fail_runtime(fmt::format("no filter named '{}'",
                             name.is(Kind::text) ? excerpt(name.view()) : std::string(name.type_name())));
  return filter->apply(*this, input, arguments);
}

bool Evaluator::apply_test(const Value& name, const Value& subject, const Arguments& arguments) {
  budget_.step();
  const TestEntry* test = name.is(Kind::text) ? find_test(name.view()) : nullptr;
  if (test == nullptr)
    fail_runtime(fmt::format("no test named '{}'",
                             name.is(Kind::text) ? excerpt(name.view()) : std::string(name.type_name())));
  return test->holds(*this, subject, arguments);
}

}  // namespace pensieve::model::jinja
