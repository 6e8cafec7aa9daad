// Both ways of merging against the definition, and the work they take. Not for texts.
#include "model/tokenizer/merge_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>

namespace pensieve::model {
namespace {

using Rules = std::map<std::pair<std::int32_t, std::int32_t>, MergeTable::Merge>;

// The definition, word for word: the lowest rank first, the leftmost among equals.
std::vector<std::int32_t> merge_by_definition(const Rules& rules, std::vector<std::int32_t> symbols) {
  while (true) {
    MergeTable::Merge best;
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto rule = rules.find({symbols[i], symbols[i + 1]});
      if (rule != rules.end() && rule->second.rank < best.rank) {
        best = rule->second;
        place = i;
      }
    }
    if (best.token < 0) return symbols;
    symbols[place] = best.token;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

TEST(merge_symbols, agrees_with_the_definition_for_short_and_long_pieces) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    Rules rules;
    std::int32_t token = 4;
    for (std::uint32_t rank = 0; rank < 60; ++rank) {
      const std::pair<std::int32_t, std::int32_t> pair(
          static_cast<std::int32_t>(random() % static_cast<unsigned>(token)),
          static_cast<std::int32_t>(random() % static_cast<unsigned>(token)));
      // Some merges make a token that exists already, as vocabularies with several ways to a token have it.
      const std::int32_t made = random() % 4 == 0 && token > 8 ? token - 1 : token++;
      rules.emplace(pair, MergeTable::Merge{rank, made});
    }
    MergeTable table(rules.size());
    for (const auto& [pair, merge] : rules) EXPECT_TRUE(table.insert(pair.first, pair.second, merge));
    MergeScratch scratch;
    for (const std::size_t size : {0U, 1U, 2U, 3U, 10U, 47U, 48U, 49U, 50U, 200U, 700U}) {
      std::vector<std::int32_t> symbols(size);
      for (auto& symbol : symbols) symbol = static_cast<std::int32_t>(random() % 5) - 1;  // -1 never merges
      const auto expected = merge_by_definition(rules, symbols);
      merge_symbols(table, symbols, scratch);
      EXPECT_EQ(symbols, expected) << "round " << round << ", " << size << " symbols";
    }
  }
}

TEST(merge_table, the_first_rank_of_a_pair_stays) {
  MergeTable table(2);
  EXPECT_TRUE(table.insert(1, 2, {5, 9}));
  EXPECT_FALSE(table.insert(1, 2, {6, 8}));
  EXPECT_EQ(table.find(1, 2).rank, 5U);
  EXPECT_EQ(table.find(1, 2).token, 9);
  EXPECT_EQ(table.find(2, 1).rank, MergeTable::kNever);
}

TEST(merge_symbols, work_grows_with_the_piece) {
  MergeTable table(20);
  // Runs of one symbol double, as runs of spaces do in real vocabularies.
  for (std::int32_t i = 0; i < 20; ++i) table.insert(i, i, {static_cast<std::uint32_t>(i), i + 1});
  std::uint64_t work[2];
  for (int i = 0; i < 2; ++i) {
    std::vector<std::int32_t> symbols(i == 0 ? 100000 : 200000, 0);
    MergeScratch scratch;
    merge_symbols(table, symbols, scratch);
    work[i] = scratch.work;
  }
  EXPECT_LT(static_cast<double>(work[1]), 2.1 * static_cast<double>(work[0]));
}

}  // namespace
}  // namespace pensieve::model
