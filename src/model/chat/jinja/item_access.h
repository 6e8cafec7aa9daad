// How filters reach into the items they work on: attribute paths ("function.name", "0.id") and case-blind
// sort keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

// Where in an item a filter looks; without a path, at the item itself.
class AttributePath {
 public:
  AttributePath() = default;
  // A text with dots between the steps, or an integer; none: no path.
  explicit AttributePath(const Value& attribute);
  Value get(Evaluator& evaluator, const Value& item) const;
  bool empty() const { return steps_.empty(); }

 private:
  std::vector<Value> steps_;
};

// What sorting compares: texts in lower case unless `case_sensitive`.
Value sort_key(Evaluator& evaluator, const Value& value, bool case_sensitive);

}  // namespace pensieve::model::jinja
