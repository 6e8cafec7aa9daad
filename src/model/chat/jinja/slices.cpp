// Slices as Python defines them.
#include "model/chat/jinja/slices.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "model/chat/jinja/operators.h"

namespace pensieve::model::jinja {
namespace {

std::int64_t index_of(const Value& value, std::int64_t fallback) {
  if (value.is(Kind::none)) return fallback;
  require_defined(value);
  if (!value.is_integral()) fail_runtime("slice indices must be integers or None");
  return value.integer();
}

// A position within [low, high], negative ones counted from the end.
std::int64_t clamp(std::int64_t index, std::int64_t length, std::int64_t low, std::int64_t high) {
  if (index < 0) index = index < -length ? low : index + length;
  return std::clamp(index, low, high);
}

struct Range {
  std::int64_t start, step;
  std::size_t count;
};

Range slice_range(std::int64_t length, const Value& start, const Value& stop, const Value& step_value) {
  std::int64_t step = index_of(step_value, 1);
  if (step == 0) fail_runtime("slice step cannot be zero");
  step = std::max(step, -INT64_MAX);
  if (step > 0) {
    const std::int64_t begin = clamp(index_of(start, 0), length, 0, length);
    const std::int64_t end = clamp(index_of(stop, length), length, 0, length);
    return {begin, step, end > begin ? static_cast<std::size_t>((end - begin - 1) / step + 1) : 0};
  }
  const std::int64_t begin =
      start.is(Kind::none) ? length - 1 : clamp(index_of(start, 0), length, -1, length - 1);
  const std::int64_t end = stop.is(Kind::none) ? -1 : clamp(index_of(stop, 0), length, -1, length - 1);
  return {begin, step, begin > end ? static_cast<std::size_t>((begin - end - 1) / -step + 1) : 0};
}

Value slice_text(Budget& budget, const Text& text, const Range& range) {
  if (!text.ascii()) budget.scan(text.size());
  const auto at = [&](std::size_t i) {
    return static_cast<std::size_t>(range.start + static_cast<std::int64_t>(i) * range.step);
  };
  if (range.count == 0) return Value(Text());
  if (range.step == 1)
    return Value(slice(budget, text, text.position(at(0)), text.position(at(0) + range.count)));
  std::vector<std::size_t> starts;  // byte positions of the characters
  Charge charge(&budget, text.length() * sizeof(std::size_t));
  starts.reserve(text.length());
  for (std::size_t place = 0; place < text.size(); place += character_size(text.view(), place))
    starts.push_back(place);
  // Characters out of their order could spell anything: the whole becomes foreign when any of it was.
  std::string bytes;
  Charge copy(&budget, text.size());
  budget.scan(text.size());
  for (std::size_t i = 0; i < range.count; ++i)
    bytes += text.view().substr(starts[at(i)], character_size(text.view(), starts[at(i)]));
  return Value(derive(budget, bytes, text));
}

}  // namespace

Value slice_value(Budget& budget, const Value& object, const Value& start, const Value& stop,
                  const Value& step) {
  require_defined(object);
  if (object.is(Kind::text)) {
    return slice_text(budget, object.text(),
                      slice_range(static_cast<std::int64_t>(object.text().length()), start, stop, step));
  }
  if (!object.is(Kind::list) || !object.list()->indexable())
    fail_runtime(fmt::format("'{}' object is not subscriptable", object.type_name()));
  const List& list = *object.list();
  const Range range = slice_range(static_cast<std::int64_t>(list.items.size()), start, stop, step);
  ListBuilder items(&budget);
  for (std::size_t i = 0; i < range.count; ++i)
    items.push(list.items[static_cast<std::size_t>(range.start + static_cast<std::int64_t>(i) * range.step)]);
  return std::move(items).finish(list.form == ListForm::group ? ListForm::tuple : list.form);
}

Positions clamp_positions(std::size_t length, const Value& start, const Value& stop) {
  const auto size = static_cast<std::int64_t>(length);
  const std::int64_t begin = clamp(index_of(start, 0), size, 0, size);
  const std::int64_t end = clamp(index_of(stop, size), size, 0, size);
  return {static_cast<std::size_t>(begin), static_cast<std::size_t>(std::max(begin, end))};
}

}  // namespace pensieve::model::jinja
