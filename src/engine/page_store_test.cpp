// Prefix reuse as a prompt meets it: whole pages only, exact tokens, the longest prefix still kept, the
// oldest evicted first; checked at random against a list of everything that was ever stored.
#include "engine/page_store.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace pensieve::engine {
namespace {

using Tokens = std::vector<std::int32_t>;

// What a sequence does: takes what is cached, computes the rest, publishes, leaves. Answers the number of
// reused pages.
std::size_t visit(PageStore& store, const Tokens& tokens, std::uint64_t space = 0) {
  const CachedPrefix prefix = store.match(space, tokens);
  Tokens pages = prefix.pages;
  for (const std::int32_t page : pages) store.retain(page);
  while (static_cast<std::int32_t>(pages.size()) <
         store.pages_for(static_cast<std::int64_t>(tokens.size()))) {
    const std::int32_t page = store.allocate();
    EXPECT_GE(page, 0);
    pages.push_back(page);
  }
  const auto computed = static_cast<std::int32_t>(tokens.size());
  EXPECT_EQ(store.publish(space, tokens, computed, 0, pages), computed / store.page_tokens());
  store.release_all(pages);
  return prefix.pages.size();
}

TEST(PageStore, ReusesWholePagesAndLeavesATokenToCompute) {
  PageStore store(16, 4, 1);
  const Tokens twelve{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  EXPECT_EQ(visit(store, twelve), 0U);
  EXPECT_EQ(visit(store, twelve), 2U) << "the third page holds the last token";
  EXPECT_EQ(visit(store, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}), 3U);
  EXPECT_EQ(visit(store, {1, 2, 3, 4, 5, 6, 7, 99, 9, 10}), 1U);
  EXPECT_EQ(visit(store, {5, 6, 7, 8, 9}), 0U) << "the same tokens elsewhere are something else";
  EXPECT_EQ(visit(store, {1, 2, 3, 4}), 0U);
  EXPECT_EQ(visit(store, {1}), 0U);
}

TEST(PageStore, SpacesAreApart) {
  PageStore store(16, 4, 1);
  const Tokens tokens{1, 2, 3, 4, 5};
  visit(store, tokens, 1);
  EXPECT_EQ(visit(store, tokens, 2), 0U);
  EXPECT_EQ(visit(store, tokens, 1), 1U);
}

TEST(PageStore, EvictsTheOldestPathFromItsEnd) {
  PageStore store(6, 2, 1);
  const Tokens a{1, 1, 1, 1, 0}, b{2, 2, 2, 2, 0};
  visit(store, a);
  visit(store, b);
  EXPECT_EQ(store.available(), 6);
  EXPECT_EQ(store.used(), 4);
  visit(store, {3, 3, 3, 3, 0});  // needs three pages: two are free
  EXPECT_EQ(store.match(0, a).pages.size(), 1U) << "the end of the oldest path went first";
  EXPECT_EQ(store.match(0, b).pages.size(), 2U);
  visit(store, a);  // used again, and completed: b is older now
  EXPECT_EQ(store.match(0, a).pages.size(), 2U);
  EXPECT_LT(store.match(0, b).pages.size(), 2U);
}

TEST(PageStore, TwoWhoComputedTheSameKeepOnePage) {
  PageStore store(8, 2, 1);
  const Tokens tokens{1, 2, 3};
  Tokens first{store.allocate(), store.allocate()}, second{store.allocate(), store.allocate()};
  store.publish(0, tokens, 3, 0, first);
  store.publish(0, tokens, 3, 0, second);
  EXPECT_EQ(first[0], second[0]);
  EXPECT_NE(first[1], second[1]);
  EXPECT_EQ(store.used(), 3);
  EXPECT_TRUE(store.is_shared(first[0]));
  EXPECT_FALSE(store.is_shared(first[1]));
  store.release_all(first);
  EXPECT_EQ(store.cache().idle_count(), 0);
  store.release_all(second);
  EXPECT_EQ(store.cache().idle_count(), 1);
}

TEST(PageStore, APromptCatchesUpWithWhatOthersComputed) {
  PageStore store(16, 2, 1);
  const Tokens tokens{1, 2, 3, 4, 5, 6, 7};
  Tokens mine{store.allocate(), store.allocate()};  // three tokens computed: one page, and one in part
  store.publish(0, tokens, 3, 0, mine);
  visit(store, {1, 2, 3, 4, 5, 6, 8});
  EXPECT_EQ(store.extend(0, tokens, 3, mine), 6);
  EXPECT_EQ(mine, store.match(0, tokens).pages);
  store.release_all(mine);
  EXPECT_EQ(store.available(), 16);
}

TEST(PageStore, PagesInUseAreNeverEvicted) {
  PageStore store(3, 2, 1);
  const Tokens tokens{1, 2, 3, 4, 5};
  Tokens held{store.allocate(), store.allocate(), store.allocate()};
  store.publish(0, tokens, 5, 0, held);
  EXPECT_EQ(store.allocate(), -1);
  store.release(held.back());
  EXPECT_EQ(store.allocate(), held.back());
}

TEST(PageStore, RandomPromptsFindTheLongestPrefixStillKept) {
  constexpr std::int32_t kPageTokens = 3;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&random](std::uint32_t bound) { return static_cast<std::int32_t>(random() % bound); };
    PageStore store(24, kPageTokens, seed);
    std::map<std::int32_t, Tokens> meaning;  // page -> the whole prefix it stands for, as last published
    for (int round = 0; round < 400; ++round) {
      Tokens tokens;
      for (std::int32_t length = 1 + below(30); length > 0; --length) tokens.push_back(below(2));
      const CachedPrefix prefix = store.match(0, tokens);
      const auto whole = (tokens.size() - 1) / kPageTokens;
      std::size_t wanted =
          0;  // naive: longest chain of pages still in the cache whose meaning is a prefix of the tokens
      for (; wanted < whole; ++wanted) {
        const Tokens part(tokens.begin(),
                          tokens.begin() + static_cast<std::ptrdiff_t>((wanted + 1) * kPageTokens));
        const bool kept = std::any_of(meaning.begin(), meaning.end(), [&](const auto& entry) {
          return store.cache().contains(entry.first) && entry.second == part;
        });
        if (!kept) break;
      }
      ASSERT_EQ(prefix.pages.size(), wanted);
      for (std::size_t i = 0; i < prefix.pages.size(); ++i) {
        const Tokens part(tokens.begin(),
                          tokens.begin() + static_cast<std::ptrdiff_t>((i + 1) * kPageTokens));
        ASSERT_EQ(meaning.at(prefix.pages[i]), part);
      }
      visit(store, tokens);
      const Tokens longer = [&] {
        Tokens copy = tokens;
        copy.push_back(0);
        return copy;
      }();
      const CachedPrefix after = store.match(0, longer);
      ASSERT_EQ(after.pages.size(), tokens.size() / kPageTokens) << "what was just published is kept";
      for (std::size_t i = 0; i < after.pages.size(); ++i) {
        meaning[after.pages[i]] =
            Tokens(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>((i + 1) * kPageTokens));
      }
      ASSERT_EQ(store.available(), 24);
    }
  }
}

}  // namespace
}  // namespace pensieve::engine
