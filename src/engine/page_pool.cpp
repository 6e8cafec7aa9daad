// PagePool: a stack of free numbers and a count of owners for each page.
// Not for eviction: page_store decides what is given up when the stack is empty.
#include "engine/page_pool.h"

#include <algorithm>
#include <cassert>

namespace pensieve::engine {

PagePool::PagePool(std::int32_t count) : owners_(static_cast<std::size_t>(count), 0) {
  free_.reserve(owners_.size());
  reset();
}

void PagePool::reset() {
  std::fill(owners_.begin(), owners_.end(), 0);
  free_.clear();
  for (std::int32_t page = size(); page-- > 0;)
    free_.push_back(page);  // low numbers first: memory grows with use
}

std::int32_t PagePool::allocate() {
  if (free_.empty()) return -1;
  const std::int32_t page = free_.back();
  free_.pop_back();
  owners_[static_cast<std::size_t>(page)] = 1;
  return page;
}

void PagePool::retain(std::int32_t page) {
  assert(owners_[static_cast<std::size_t>(page)] > 0);
  ++owners_[static_cast<std::size_t>(page)];
}

std::int32_t PagePool::release(std::int32_t page) {
  std::int32_t& owners = owners_[static_cast<std::size_t>(page)];
  assert(owners > 0);
  if (--owners == 0) free_.push_back(page);
  return owners;
}

}  // namespace pensieve::engine
