// The pool hands out each page once and takes it back from its last owner.
#include "engine/page_pool.h"

#include <gtest/gtest.h>

#include <set>

namespace pensieve::engine {
namespace {

TEST(PagePool, HandsOutEachPageOnce) {
  PagePool pool(5);
  std::set<std::int32_t> pages;
  for (int i = 0; i < 5; ++i) pages.insert(pool.allocate());
  EXPECT_EQ(pages, (std::set<std::int32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(pool.allocate(), -1);
  EXPECT_EQ(pool.free_count(), 0);
}

TEST(PagePool, APageIsFreeWhenItsLastOwnerLetsGo) {
  PagePool pool(2);
  const std::int32_t page = pool.allocate();
  pool.retain(page);
  EXPECT_EQ(pool.release(page), 1);
  EXPECT_EQ(pool.free_count(), 1);
  EXPECT_EQ(pool.release(page), 0);
  EXPECT_EQ(pool.free_count(), 2);
  EXPECT_EQ(pool.allocate(), page) << "the page freed last comes first";
}

TEST(PagePool, StartsWithLowNumbers) {
  PagePool pool(1000);
  for (std::int32_t i = 0; i < 10; ++i) EXPECT_EQ(pool.allocate(), i);
}

}  // namespace
}  // namespace pensieve::engine
