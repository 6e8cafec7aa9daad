// Look-up over the tables of filters.
#include "model/chat/jinja/filters.h"

#include <algorithm>
#include <array>

namespace pensieve::model::jinja {

const FilterEntry* find_filter(std::string_view name) {
  const std::array tables{text_filters(), sequence_filters(), selection_filters(), number_filters()};
  for (std::span<const FilterEntry> table : tables) {
    const auto at = std::find_if(table.begin(), table.end(),
                                 [name](const FilterEntry& entry) { return entry.name == name; });
    if (at != table.end()) return &*at;
  }
  return nullptr;
}

}  // namespace pensieve::model::jinja
