// Equality, order, membership and substring search on values.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "model/chat/jinja/operators.h"

namespace pensieve::model::jinja {
namespace {

bool same_family(const List& left, const List& right) {
  const auto family = [](ListForm form) { return form == ListForm::group ? ListForm::tuple : form; };
  return family(left.form) == family(right.form);
}

bool equal_lists(Budget& budget, const List& left, const List& right) {
  if (&left == &right) return true;
  if (!same_family(left, right) || left.items.size() != right.items.size() ||
      left.form == ListForm::generator)
    return false;
  for (std::size_t i = 0; i < left.items.size(); ++i) {
    if (!equal(budget, left.items[i], right.items[i])) return false;
  }
  return true;
}

bool equal_dicts(Budget& budget, const Dict& left, const Dict& right) {
  if (&left == &right) return true;
  if (left.entries.size() != right.entries.size()) return false;
  for (const Dict::Entry& entry : left.entries) {
    budget.step();
    const Value* other = right.find(budget, entry.key);
    if (other == nullptr || !equal(budget, entry.value, *other)) return false;
  }
  return true;
}

std::partial_ordering order_lists(Budget& budget, const List& left, const List& right,
                                  std::string_view symbol) {
  const std::size_t common = std::min(left.items.size(), right.items.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (!equal(budget, left.items[i], right.items[i]))
      return order(budget, left.items[i], right.items[i], symbol);
  }
  return left.items.size() <=> right.items.size();
}

std::partial_ordering order_numbers(const Value& left, const Value& right) {
  if (left.is_integral() && right.is_integral()) return left.integer() <=> right.integer();
  return left.real() <=> right.real();
}

}  // namespace

bool equal(Budget& budget, const Value& left, const Value& right) {
  budget.step();
  if (left.is_number() && right.is_number()) return order_numbers(left, right) == 0;
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::text:
      if (left.text().size() != right.text().size()) return false;
      budget.touch(left.text().size());
      return left.view() == right.view();
    case Kind::list:
      return equal_lists(budget, *left.list(), *right.list());
    case Kind::dict:
      return equal_dicts(budget, *left.dict(), *right.dict());
    case Kind::object:
      return left.object().get() == right.object().get();
    default:
      return true;  // undefined, none
  }
}

std::partial_ordering order(Budget& budget, const Value& left, const Value& right, std::string_view symbol) {
  budget.step();
  if (left.is_number() && right.is_number()) return order_numbers(left, right);
  if (left.is(Kind::text) && right.is(Kind::text)) {
    budget.touch(std::min(left.text().size(), right.text().size()));
    return left.view() <=> right.view();  // the order of UTF-8 bytes is that of code points
  }
  if (left.is(Kind::list) && right.is(Kind::list) && same_family(*left.list(), *right.list()) &&
      left.list()->form <= ListForm::group) {
    return order_lists(budget, *left.list(), *right.list(), symbol);
  }
  require_defined(left);
  require_defined(right);
  fail_runtime(fmt::format("'{}' not supported between instances of '{}' and '{}'", symbol, left.type_name(),
                           right.type_name()));
}

bool contains(Budget& budget, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::undefined:
      return false;
    case Kind::text:
      require_defined(item);
      if (!item.is(Kind::text))
        fail_runtime(fmt::format("'in <string>' requires string as left operand, not {}", item.type_name()));
      return find(budget, container.view(), item.view()) != std::string_view::npos;
    case Kind::dict:
      return container.dict()->find(budget, item) != nullptr;
    case Kind::list: {
      const List& list = *container.list();
      if (list.form == ListForm::generator && std::exchange(list.consumed, true)) return false;
      return std::any_of(list.items.begin(), list.items.end(),
                         [&](const Value& each) { return equal(budget, each, item); });
    }
    default:
      fail_runtime(fmt::format("argument of type '{}' is not iterable", container.type_name()));
  }
}

std::size_t find(Budget& budget, std::string_view text, std::string_view needle, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  budget.touch(needle.size());
  if (needle.empty()) return from;
  if (text.size() - from < needle.size()) return std::string_view::npos;
  if (needle.size() > text.size() - from)
    return std::string_view::npos;  // also keeps null pointers from memmem
  // memmem is linear even for hostile texts; string_view::find is not.
  const void* at = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  const std::size_t place = at == nullptr
                                ? std::string_view::npos
                                : static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
  budget.search((place == std::string_view::npos ? text.size() : place) - from);
  return place;
}

std::size_t find_last(Budget& budget, std::string_view text, std::string_view needle) {
  Charge charge(&budget, text.size() + needle.size());
  budget.scan(text.size());
  const std::string backward_text(text.rbegin(), text.rend()),
      backward_needle(needle.rbegin(), needle.rend());
  const std::size_t place = find(budget, backward_text, backward_needle);
  return place == std::string_view::npos ? place : text.size() - place - needle.size();
}

}  // namespace pensieve::model::jinja
