// The global functions, and the objects that two of them make.
#include "model/chat/jinja/functions.h"

#include <fmt/format.h>

#include "model/chat/jinja/clock.h"
#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/objects.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/parameters.h"
#include "model/chat/jinja/printing.h"

namespace pensieve::model::jinja {
namespace {

constexpr std::int64_t kLongestRange = 100'000;  // the sandbox's own limit

Value range(Evaluator& evaluator, const ObjectPtr&, const Arguments& arguments) {
  const Parameters parameters("range", arguments, {"start", "stop", "step"}, 1);
  const bool single = parameters.find(1) == nullptr;
  const std::int64_t start = single ? 0 : parameters.integer(0);
  const std::int64_t stop = parameters.integer(single ? 0 : 1);
  const std::int64_t step = parameters.find(2) != nullptr ? parameters.integer(2) : 1;
  if (step == 0) fail_runtime("range() arg 3 must not be zero");
  ListBuilder items(&evaluator.budget());
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (static_cast<std::int64_t>(items.size()) == kLongestRange) {
      fail_budget(fmt::format("range too big; ranges are limited to {} items", kLongestRange));
    }
    items.push(Value(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return std::move(items).finish(ListForm::range);
}

// The pairs that dict(...) and namespace(...) are made of.
void add_pairs(Evaluator& evaluator, DictBuilder& pairs, const Arguments& arguments) {
  if (arguments.positional.size() > 1) fail_runtime("expected at most 1 positional argument");
  for (const Value& source : arguments.positional) {
    if (source.is(Kind::dict)) {
      for (const Dict::Entry& entry : source.dict()->entries) pairs.set(entry.key, entry.value);
      continue;
    }
    const ListPtr items = evaluator.iterate(source);
    for (const Value& item : items->items) {
      const ListPtr pair = evaluator.iterate(item);
      if (pair->items.size() != 2) fail_runtime("a dict is made from pairs of key and value");
      pairs.set(pair->items[0], pair->items[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) pairs.set(Value(name), value);
}

Value dict(Evaluator& evaluator, const ObjectPtr&, const Arguments& arguments) {
  DictBuilder pairs(&evaluator.budget());
  add_pairs(evaluator, pairs, arguments);
  return std::move(pairs).finish();
}

Value make_namespace(Evaluator& evaluator, const ObjectPtr&, const Arguments& arguments) {
  DictBuilder pairs(&evaluator.budget());
  add_pairs(evaluator, pairs, arguments);
  const Value dict = std::move(pairs).finish();
  std::vector<std::pair<Text, Value>> attributes;
  for (const Dict::Entry& entry : dict.dict()->entries) {
    evaluator.budget().step();
    if (!entry.key.is(Kind::text)) fail_runtime("attributes of a namespace have names");
    attributes.emplace_back(entry.key.text(), entry.value);
  }
  return evaluator.make_namespace(std::move(attributes));
}

Value raise(Evaluator& evaluator, const ObjectPtr&, const Arguments& arguments) {
  const Value message = Parameters("raise_exception", arguments, {"message"}, 1).value(0);
  fail_raised(std::string(to_text(evaluator.budget(), message).view()));
}

Value strftime_now(Evaluator& evaluator, const ObjectPtr&, const Arguments& arguments) {
  const Text format = Parameters("strftime_now", arguments, {"format"}, 1).text(0);
  const Charge charge(&evaluator.budget(),
                      format.size() * 16);  // the longest directive writes some 25 bytes for 2
  return Value(derive(evaluator.budget(), format_time(evaluator.now(), format.view()), format));
}

class Cycler : public Object, public std::enable_shared_from_this<Cycler> {
 public:
  explicit Cycler(ListPtr items) : items_(std::move(items)) {}
  std::string_view type_name() const override { return "Cycler"; }
  std::optional<Value> attribute(Evaluator& evaluator, std::string_view name) override;

 private:
  ListPtr items_;
  std::size_t at_ = 0;
};

std::optional<Value> Cycler::attribute(Evaluator& evaluator, std::string_view name) {
  if (name == "current") return items_->items[at_];
  Function::Apply apply = nullptr;
  if (name == "next") {
    apply = [](Evaluator&, const ObjectPtr& object, const Arguments&) {
      Cycler& cycler = static_cast<Cycler&>(*object);
      Value now = cycler.items_->items[cycler.at_];
      cycler.at_ = (cycler.at_ + 1) % cycler.items_->items.size();
      return now;
    };
  } else if (name == "reset") {
    apply = [](Evaluator&, const ObjectPtr& object, const Arguments&) {
      static_cast<Cycler&>(*object).at_ = 0;
      return Value::none();
    };
  } else {
    return std::nullopt;
  }
  return Value(ObjectPtr(make_object<Function>(evaluator.budget(), depth, apply, shared_from_this())));
}

Value cycler(Evaluator& evaluator, const ObjectPtr&, const Arguments& arguments) {
  if (arguments.positional.empty() || !arguments.named.empty())
    fail_runtime("cycler() needs at least one item");
  ListBuilder builder(&evaluator.budget());
  for (const Value& item : arguments.positional) builder.push(item);
  ListPtr items = std::move(builder).finish_list();
  return Value(ObjectPtr(make_object<Cycler>(evaluator.budget(), items->depth, items)));
}

// Yields nothing the first time it is called, its separator afterwards.
class Joiner : public Object {
 public:
  explicit Joiner(Text separator) : separator_(std::move(separator)) {}
  std::string_view type_name() const override { return "Joiner"; }
  bool callable() const override { return true; }
  Value call(Evaluator&, const Arguments&) override {
    return Value(std::exchange(used_, true) ? separator_ : Text());
  }

 private:
  Text separator_;
  bool used_ = false;
};

Value joiner(Evaluator& evaluator, const ObjectPtr&, const Arguments& arguments) {
  const Text separator = Parameters("joiner", arguments, {"sep"}).text_or(0, Text(", "));
  return Value(ObjectPtr(make_object<Joiner>(evaluator.budget(), 0, separator)));
}

}  // namespace

void define_functions(Evaluator& evaluator) {
  const auto define = [&evaluator](std::string_view name, Function::Apply apply) {
    evaluator.define(name, Value(ObjectPtr(std::make_shared<Function>(apply, nullptr))));
  };
  define("range", range);
  define("dict", dict);
  define("namespace", make_namespace);
  define("raise_exception", raise);
  define("strftime_now", strftime_now);
  define("cycler", cycler);
  define("joiner", joiner);
}

}  // namespace pensieve::model::jinja
