// One entry is "LEFT RIGHT"; its place in the list is its rank.
#include "model/tokenizer/merge_list.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "model/tokenizer/vocabulary.h"

namespace pensieve::model {
namespace {

constexpr std::string_view kMerges = "tokenizer.ggml.merges";

tl::unexpected<Error> refuse(std::string what) {
  return fail(Error::Code::invalid, std::move(what));
}

}  // namespace

Result<MergeTable> read_merges(const Metadata& metadata,
                               const std::function<std::int32_t(std::string_view)>& symbol) {
  const auto* merges = metadata.texts(kMerges);
  if (merges == nullptr) return refuse(fmt::format("{} is absent or not a list of texts", kMerges));
  if (merges->size() >= MergeTable::kNever)
    return refuse(fmt::format("{} has {} entries", kMerges, merges->size()));
  MergeTable table(merges->size());
  std::string joined;
  for (std::size_t rank = 0; rank < merges->size(); ++rank) {
    const std::string_view merge = (*merges)[rank];
    const std::size_t space = merge.find(' ');
    if (space == std::string_view::npos || space == 0 || space + 1 == merge.size() ||
        merge.find(' ', space + 1) != merge.npos) {
      return refuse(
          fmt::format("{}[{}] {} is not two tokens with one space between", kMerges, rank, quoted(merge)));
    }
    const std::string_view left = merge.substr(0, space);
    const std::string_view right = merge.substr(space + 1);
    joined.assign(left).append(right);
    const std::int32_t ids[] = {symbol(left), symbol(right), symbol(joined)};
    const std::string_view texts[] = {left, right, joined};
    for (std::size_t i = 0; i < 3; ++i) {
      if (ids[i] < 0) {
        return refuse(fmt::format("{}[{}] {} needs the token {}, which the vocabulary does not have", kMerges,
                                  rank, quoted(merge), quoted(texts[i])));
      }
    }
    // A pair listed twice keeps its first, stronger rank.
    table.insert(ids[0], ids[1], {static_cast<std::uint32_t>(rank), ids[2]});
  }
  return table;
}

}  // namespace pensieve::model
