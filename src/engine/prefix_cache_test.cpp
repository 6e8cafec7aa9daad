// The tree of pages where every hash collides: tokens, parent and space alone decide. Reuse as prompts meet
// it is tested in page_store_test.cpp.
#include "engine/prefix_cache.h"

#include <gtest/gtest.h>

namespace pensieve::engine {
namespace {

using Tokens = std::vector<std::int32_t>;

TEST(PrefixCache, NeverTrustsAHash) {
  PrefixCache cache(8, 2, 1, 0);
  cache.insert(0, PrefixCache::kNone, Tokens{1, 2}, 0);
  cache.insert(0, PrefixCache::kNone, Tokens{3, 4}, 1);
  cache.insert(0, 0, Tokens{1, 2}, 2);
  cache.insert(0, 1, Tokens{1, 2}, 3);
  cache.insert(7, PrefixCache::kNone, Tokens{1, 2}, 4);
  EXPECT_EQ(cache.find(0, PrefixCache::kNone, Tokens{1, 2}), 0);
  EXPECT_EQ(cache.find(0, PrefixCache::kNone, Tokens{3, 4}), 1);
  EXPECT_EQ(cache.find(0, 0, Tokens{1, 2}), 2);
  EXPECT_EQ(cache.find(0, 1, Tokens{1, 2}), 3);
  EXPECT_EQ(cache.find(7, PrefixCache::kNone, Tokens{1, 2}), 4);
  EXPECT_EQ(cache.find(0, PrefixCache::kNone, Tokens{1, 3}), PrefixCache::kNone);
  EXPECT_EQ(cache.find(0, 2, Tokens{1, 2}), PrefixCache::kNone);
  EXPECT_EQ(cache.find(8, PrefixCache::kNone, Tokens{1, 2}), PrefixCache::kNone);
}

TEST(PrefixCache, EvictsInTheOrderOfIdlenessFromOneBucket) {
  PrefixCache cache(4, 1, 1, 0);
  for (std::int32_t page = 0; page < 4; ++page) {
    cache.insert(0, PrefixCache::kNone, Tokens{page}, page);
    cache.set_idle(page);
  }
  cache.set_used(1);
  cache.set_used(0);
  cache.set_idle(0);
  EXPECT_EQ(cache.idle_count(), 3);
  EXPECT_EQ(cache.evict(), 2);
  EXPECT_EQ(cache.evict(), 3);
  EXPECT_EQ(cache.evict(), 0);
  EXPECT_EQ(cache.evict(), PrefixCache::kNone) << "the one in use stays";
  EXPECT_EQ(cache.find(0, PrefixCache::kNone, Tokens{1}), 1);
  EXPECT_EQ(cache.find(0, PrefixCache::kNone, Tokens{2}), PrefixCache::kNone);
  EXPECT_EQ(cache.size(), 1);
}

}  // namespace
}  // namespace pensieve::engine
