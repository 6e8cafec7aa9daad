// PagePool: the page numbers of a plan's state and how many owners each has. A page may be read by many
// owners; only the sequence whose last page it is appends to it. Not for what a page holds: the backend knows
// that, the pool never looks. Thread rule: the engine's thread only.
#pragma once

#include <cstdint>
#include <vector>

namespace pensieve::engine {

class PagePool {
 public:
  explicit PagePool(std::int32_t count);

  void reset();                             // every page free, as at the start; cannot fail
  std::int32_t allocate();                  // with one owner; -1 when none is free
  void retain(std::int32_t page);           // one owner more; the page must be in use
  std::int32_t release(std::int32_t page);  // one owner less; answers how many are left, 0: free again
  std::int32_t owners(std::int32_t page) const { return owners_[static_cast<std::size_t>(page)]; }
  std::int32_t free_count() const { return static_cast<std::int32_t>(free_.size()); }
  std::int32_t size() const { return static_cast<std::int32_t>(owners_.size()); }

 private:
  std::vector<std::int32_t> owners_;  // by page
  std::vector<std::int32_t> free_;    // a stack: the page freed last is the one most likely to be in memory
};

}  // namespace pensieve::engine
