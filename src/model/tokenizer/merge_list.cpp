// An entry of the first is "LEFT RIGHT", of the second every other text; its place in the list is its rank.
#include "model/tokenizer/merge_list.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "model/tokenizer/vocabulary.h"

namespace pensieve::model {
namespace {

constexpr std::string_view kMerges = "tokenizer.ggml.merges";
constexpr std::string_view kPairs = "tokenizer.pensieve.merge_pairs";

tl::unexpected<Error> refuse(std::string what) {
  return fail(Error::Code::invalid, std::move(what));
}

bool cut(std::string_view merge, std::string_view& left, std::string_view& right) {
  const std::size_t space = merge.find(' ');
  if (space == std::string_view::npos || space == 0 || space + 1 == merge.size()) return false;
  left = merge.substr(0, space);
  right = merge.substr(space + 1);
  return right.find(' ') == std::string_view::npos;
}

}  // namespace

bool has_merges(const Metadata& metadata) {
  return metadata.contains(kMerges) || metadata.contains(kPairs);
}

Result<MergeTable> read_merges(const Metadata& metadata,
                               const std::function<std::int32_t(std::string_view)>& symbol) {
  const auto* pairs = metadata.texts(kPairs);
  const auto* merges = pairs != nullptr ? pairs : metadata.texts(kMerges);
  if (merges == nullptr) return refuse(fmt::format("{} is absent or not a list of texts", kMerges));
  const std::size_t count = pairs != nullptr ? pairs->size() / 2 : merges->size();
  if (count >= MergeTable::kNever) return refuse(fmt::format("{} has {} entries", kMerges, count));
  MergeTable table(count);
  std::string joined;
  for (std::size_t rank = 0; rank < count; ++rank) {
    std::string_view left, right;
    if (pairs != nullptr) {
      left = (*pairs)[2 * rank];
      right = (*pairs)[2 * rank + 1];
    } else if (!cut((*merges)[rank], left, right)) {
      return refuse(fmt::format("{}[{}] {} is not two tokens with one space between", kMerges, rank,
                                quoted((*merges)[rank])));
    }
    joined.assign(left).append(right);
    const std::string_view texts[] = {left, right, joined};
    std::int32_t ids[3];
    for (std::size_t i = 0; i < 3; ++i) {
      ids[i] = texts[i].empty() ? -1 : symbol(texts[i]);
      if (ids[i] < 0) {
        return refuse(fmt::format("{}[{}] {} needs the token {}, which the vocabulary does not have", kMerges,
                                  rank, quoted(std::string(left) + " " + std::string(right)),
                                  quoted(texts[i])));
      }
    }
    // A pair listed twice keeps its first, stronger rank.
    table.insert(ids[0], ids[1], {static_cast<std::uint32_t>(rank), ids[2]});
  }
  return table;
}

}  // namespace pensieve::model
