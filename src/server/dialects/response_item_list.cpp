// Pages of the items that a response answers.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/dialects/response_items.h"

namespace pensieve::server {

Result<std::string> item_list_text(const std::string& items, const ItemPage& page) {
  auto list = util::parse_json(items);
  if (!list || !list->is_array())
    return fail(Error::Code::internal, "the kept items are damaged; delete the response");
  if (!page.oldest_first) std::reverse(list->begin(), list->end());
  auto first = list->begin();
  if (!page.after.empty()) {
    first = std::find_if(list->begin(), list->end(), [&page](const Json& item) {
      const Json* id = item.is_object() ? find_field(item, "id") : nullptr;
      return id && *id == page.after;
    });
    if (first == list->end()) {
      return fail(Error::Code::invalid,
                  fmt::format("after: no item of this response has the id '{}'", page.after.substr(0, 100)),
                  "after");
    }
    ++first;
  }
  Json data = Json::array();
  while (first != list->end() && static_cast<std::int64_t>(data.size()) < page.limit)
    data.push_back(std::move(*first++));
  const auto id_of = [](const Json& item) {
    return item.is_object() ? item.value("id", Json("")) : Json("");
  };
  const Json front = data.empty() ? Json("") : id_of(data.front());
  const Json back = data.empty() ? Json("") : id_of(data.back());
  return util::to_json({{"object", "list"},
                        {"data", std::move(data)},
                        {"first_id", front},
                        {"last_id", back},
                        {"has_more", first != list->end()}});
}

}  // namespace pensieve::server
