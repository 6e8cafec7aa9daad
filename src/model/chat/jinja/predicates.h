// The registry of tests (`value is name`), which the tree calls predicates so that the file is not taken for
// a unit test.
#pragma once

#include <string_view>

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

struct TestEntry {
  std::string_view name;
  bool (*holds)(Evaluator&, const Value& subject, const Arguments&);
};

const TestEntry* find_test(std::string_view name);

}  // namespace pensieve::model::jinja
