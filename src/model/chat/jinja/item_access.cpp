// Attribute paths and sort keys.
#include "model/chat/jinja/item_access.h"

#include <algorithm>
#include <charconv>

#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/text_operations.h"

namespace pensieve::model::jinja {

AttributePath::AttributePath(const Value& attribute) {
  if (attribute.is(Kind::none)) return;
  if (!attribute.is(Kind::text)) {
    steps_.push_back(attribute);
    return;
  }
  constexpr std::size_t kLongest = 32;
  std::string_view rest = attribute.view();
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string_view step = rest.substr(0, dot);
    std::int64_t index = 0;
    const auto [end, problem] = std::from_chars(step.data(), step.data() + step.size(), index);
    if (problem == std::errc() && end == step.data() + step.size() && index >= 0) {
      steps_.emplace_back(index);
    } else {
      steps_.emplace_back(Text(std::string(step)));
    }
    if (dot == std::string_view::npos) return;
    if (steps_.size() == kLongest) fail_runtime("an attribute path has too many parts");
    rest.remove_prefix(dot + 1);
  }
}

Value AttributePath::get(Evaluator& evaluator, const Value& item) const {
  Value value = item;
  for (const Value& step : steps_) {
    evaluator.budget().step();
    value = evaluator.item(value, step);
  }
  return value;
}

Value sort_key(Evaluator& evaluator, const Value& value, bool case_sensitive) {
  if (case_sensitive || !value.is(Kind::text)) return value;
  return Value(map_text(evaluator.budget(), value.text(), to_lower));
}

}  // namespace pensieve::model::jinja
