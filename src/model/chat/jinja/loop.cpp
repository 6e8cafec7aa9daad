// Evaluator: for statements and their `loop` object.
#include <fmt/format.h>

#include "model/chat/jinja/evaluator_frames.h"
#include "model/chat/jinja/objects.h"
#include "model/chat/jinja/operators.h"

namespace pensieve::model::jinja {

Evaluator::Flow Evaluator::run(const ForStatement& statement) {
  return run_loop(statement, evaluate(*statement.iterable), 1);
}

ListPtr Evaluator::filtered(const ForStatement& statement, const ListPtr& items) {
  ListBuilder kept(&budget_);
  ScopeFrame scope(*this);
  for (const Value& item : items->items) {
    scope.renew();
    assign(statement.target, item);
    if (evaluate(*statement.condition).truthy()) kept.push(item);
  }
  return std::move(kept).finish_list();
}

Evaluator::Flow Evaluator::run_loop(const ForStatement& statement, const Value& iterable,
                                    std::uint32_t depth) {
  ListPtr items = iterate(iterable);
  if (statement.condition) items = filtered(statement, items);
  if (items->items.empty()) {
    const ScopeFrame scope(*this);
    return execute(statement.otherwise);
  }
  if (statement.recursive) keep_scope();
  const auto loop = make_object<Loop>(budget_, items->depth, statement, items, depth, scope_);
  const Value loop_value{ObjectPtr(loop)};
  ScopeFrame scope(*this);
  for (std::size_t i = 0; i < items->items.size(); ++i) {
    budget_.step();
    scope.renew();
    loop->advance(i);
    scope_->set(statement.loop, loop_value);
    assign(statement.target, items->items[i]);
    if (execute(statement.body) == Flow::leave) break;
  }
  return Flow::next;
}

Value Evaluator::call_loop(const Loop& loop, const Value& iterable) {
  if (!loop.statement().recursive) fail_runtime("the loop is not recursive; write '{% for ... recursive %}'");
  SinkFrame sink(*this);
  const ScopeFrame scope(*this, loop.scope());
  run_loop(loop.statement(), iterable, loop.level() + 1);
  return Value(sink.finish());
}

Value Loop::call(Evaluator& evaluator, const Arguments& arguments) {
  if (arguments.positional.size() != 1 || !arguments.named.empty())
    fail_runtime("loop() takes one argument: what to iterate over");
  return evaluator.call_loop(*this, arguments.positional.front());
}

std::string Loop::describe() const {
  return fmt::format("<LoopContext {}/{}>", index_ + 1, items_->items.size());
}

Value Loop::cycle(const Arguments& arguments) const {
  if (arguments.positional.empty()) fail_runtime("no items for cycling given");
  return arguments.positional[index_ % arguments.positional.size()];
}

Value Loop::changed(Evaluator& evaluator, const Arguments& arguments) {
  ListBuilder builder(&evaluator.budget());
  for (const Value& value : arguments.positional) builder.push(value);
  ListPtr now = std::move(builder).finish_list();
  if (last_ == nullptr) last_ = &evaluator.remember();
  if (*last_ && equal(evaluator.budget(), Value(*last_), Value(now))) return Value(false);
  *last_ = std::move(now);
  return Value(true);
}

std::optional<Value> Loop::attribute(Evaluator& evaluator, std::string_view name) {
  const std::size_t length = items_->items.size();
  if (name == "index") return Value::size(index_ + 1);
  if (name == "index0") return Value::size(index_);
  if (name == "revindex") return Value::size(length - index_);
  if (name == "revindex0") return Value::size(length - index_ - 1);
  if (name == "first") return Value(index_ == 0);
  if (name == "last") return Value(index_ + 1 == length);
  if (name == "length") return Value::size(length);
  if (name == "depth") return Value::size(level_);
  if (name == "depth0") return Value::size(level_ - 1);
  if (name == "previtem")
    return index_ > 0 ? items_->items[index_ - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem")
    return index_ + 1 < length ? items_->items[index_ + 1] : Value::undefined("there is no next item");
  Function::Apply apply = nullptr;
  if (name == "cycle") {
    apply = [](Evaluator&, const ObjectPtr& self, const Arguments& arguments) {
      return static_cast<Loop&>(*self).cycle(arguments);
    };
  } else if (name == "changed") {
    apply = [](Evaluator& caller, const ObjectPtr& self, const Arguments& arguments) {
      return static_cast<Loop&>(*self).changed(caller, arguments);
    };
  } else {
    return std::nullopt;
  }
  return Value(ObjectPtr(make_object<Function>(evaluator.budget(), depth, apply, shared_from_this())));
}

}  // namespace pensieve::model::jinja
