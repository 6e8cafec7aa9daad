// The registry of filters. One table per subject: text, sequence and number filters; found once, when a
// template is parsed.
#pragma once

#include <span>
#include <string_view>

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

struct FilterEntry {
  std::string_view name;
  Value (*apply)(Evaluator&, const Value& input, const Arguments&);
};

const FilterEntry* find_filter(std::string_view name);

std::span<const FilterEntry> text_filters();
std::span<const FilterEntry> sequence_filters();
std::span<const FilterEntry> selection_filters();
std::span<const FilterEntry> number_filters();

}  // namespace pensieve::model::jinja
