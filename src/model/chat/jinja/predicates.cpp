// The tests of the language.
#include "model/chat/jinja/predicates.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/chat/jinja/characters.h"
#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/filters.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/parameters.h"
#include "model/chat/jinja/printing.h"
#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

using Holds = bool (*)(Evaluator&, const Value&, const Arguments&);

template <Kind kind>
bool is_kind(Evaluator&, const Value& subject, const Arguments&) {
  return subject.is(kind);
}

const Value& other(std::string_view name, const Arguments& arguments) {
  return Parameters(name, arguments, {"other"}, 1).value(0);
}

bool is_equal(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
  return equal(evaluator.budget(), subject, other("eq", arguments));
}
bool is_unequal(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
  return !equal(evaluator.budget(), subject, other("ne", arguments));
}
bool is_less(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
  return order(evaluator.budget(), subject, other("lt", arguments), "<") < 0;
}
bool is_at_most(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
  return order(evaluator.budget(), subject, other("le", arguments), "<=") <= 0;
}
bool is_greater(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
  return order(evaluator.budget(), subject, other("gt", arguments), ">") > 0;
}
bool is_at_least(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
  return order(evaluator.budget(), subject, other("ge", arguments), ">=") >= 0;
}
bool is_in(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
  return contains(evaluator.budget(), other("in", arguments), subject);
}

bool is_same(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
  const Value& second = other("sameas", arguments);
  if (subject.kind() != second.kind()) return false;
  switch (subject.kind()) {
    case Kind::list:
      return subject.list() == second.list();
    case Kind::dict:
      return subject.dict() == second.dict();
    default:
      return equal(evaluator.budget(), subject, second);
  }
}

bool is_true(Evaluator&, const Value& subject, const Arguments&) {
  return subject.is(Kind::boolean) && subject.boolean();
}
bool is_false(Evaluator&, const Value& subject, const Arguments&) {
  return subject.is(Kind::boolean) && !subject.boolean();
}
bool is_number(Evaluator&, const Value& subject, const Arguments&) {
  return subject.is_number();
}
bool is_defined(Evaluator&, const Value& subject, const Arguments&) {
  return !subject.is(Kind::undefined);
}
bool is_escaped(Evaluator&, const Value&, const Arguments&) {
  return false;
}

bool is_iterable(Evaluator&, const Value& subject, const Arguments&) {
  return subject.is(Kind::text) || subject.is(Kind::list) || subject.is(Kind::dict) ||
         subject.is(Kind::undefined);
}

bool is_sequence(Evaluator&, const Value& subject, const Arguments&) {
  if (subject.is(Kind::list)) return subject.list()->indexable();
  return subject.is(Kind::text) || subject.is(Kind::dict) || subject.is(Kind::undefined);
}

bool is_callable(Evaluator&, const Value& subject, const Arguments&) {
  return subject.is(Kind::object) && subject.object()->callable();
}

std::int64_t remainder(Evaluator& evaluator, const Value& subject, std::int64_t divisor) {
  return modulo(evaluator.budget(), subject.is(Kind::text) ? Value::none() : subject, Value(divisor))
      .integer();
}

bool is_even(Evaluator& evaluator, const Value& subject, const Arguments&) {
  return remainder(evaluator, subject, 2) == 0;
}
bool is_odd(Evaluator& evaluator, const Value& subject, const Arguments&) {
  return remainder(evaluator, subject, 2) == 1;
}
bool is_divisible(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
  return remainder(evaluator, subject, Parameters("divisibleby", arguments, {"num"}, 1).integer(0)) == 0;
}

// At least one cased character, and none for which `wrong` holds.
bool all_cased(Evaluator& evaluator, const Value& subject, bool (*right)(char32_t), bool (*wrong)(char32_t)) {
  const Text text = to_text(evaluator.budget(), subject);
  evaluator.budget().scan(text.size());
  bool any = false;
  for (std::size_t at = 0; at < text.size();) {
    const util::CodePoint point = util::decode_utf8(text.view(), at);
    if (wrong(point.value)) return false;
    any = any || right(point.value);
    at += point.size;
  }
  return any;
}
bool is_lower_text(Evaluator& evaluator, const Value& subject, const Arguments&) {
  return all_cased(evaluator, subject, is_lower, is_upper);
}
bool is_upper_text(Evaluator& evaluator, const Value& subject, const Arguments&) {
  return all_cased(evaluator, subject, is_upper, is_lower);
}

bool is_filter(Evaluator&, const Value& subject, const Arguments&) {
  return subject.is(Kind::text) && find_filter(subject.view()) != nullptr;
}
bool is_test(Evaluator&, const Value& subject, const Arguments&) {
  return subject.is(Kind::text) && find_test(subject.view()) != nullptr;
}

constexpr std::array<TestEntry, 39> kTests{{
    {"defined", is_defined},
    {"undefined", is_kind<Kind::undefined>},
    {"none", is_kind<Kind::none>},
    {"string", is_kind<Kind::text>},
    {"mapping", is_kind<Kind::dict>},
    {"boolean", is_kind<Kind::boolean>},
    {"integer", is_kind<Kind::integer>},
    {"float", is_kind<Kind::real>},
    {"number", is_number},
    {"true", is_true},
    {"false", is_false},
    {"iterable", is_iterable},
    {"sequence", is_sequence},
    {"callable", is_callable},
    {"sameas", is_same},
    {"in", is_in},
    {"eq", is_equal},
    {"equalto", is_equal},
    {"==", is_equal},
    {"ne", is_unequal},
    {"!=", is_unequal},
    {"lt", is_less},
    {"lessthan", is_less},
    {"<", is_less},
    {"le", is_at_most},
    {"<=", is_at_most},
    {"gt", is_greater},
    {"greaterthan", is_greater},
    {">", is_greater},
    {"ge", is_at_least},
    {">=", is_at_least},
    {"even", is_even},
    {"odd", is_odd},
    {"divisibleby", is_divisible},
    {"lower", is_lower_text},
    {"upper", is_upper_text},
    {"escaped", is_escaped},
    {"filter", is_filter},
    {"test", is_test},
}};

}  // namespace

const TestEntry* find_test(std::string_view name) {
  const auto at = std::find_if(kTests.begin(), kTests.end(),
                               [name](const TestEntry& entry) { return entry.name == name; });
  return at == kTests.end() ? nullptr : &*at;
}

}  // namespace pensieve::model::jinja
