// PrefixCache: which whole pages of tokens have been computed before, so that a prompt with the same
// beginning is not computed again. A tree: a page is found by its parent page and its exact tokens; hashes
// only shorten the search. Not an owner of policy: page_store retains, releases and evicts. Thread rule: the
// engine's thread only.
//
// Every page here has the cache as one of its owners. One that has no other owner is idle and may be evicted.
// Owners hold whole paths and let go of the last page first, so in the list of idle pages a child always
// stands before its parent: the oldest idle page is a leaf, and eviction is O(1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pensieve::engine {

class PrefixCache {
 public:
  static constexpr std::int32_t kNone = -1;  // no such page; as a parent: the beginning of a prompt

  // `hash_seed` keeps clients from choosing prompts that collide; results do not depend on it.
  // `hash_mask` is for tests: with few bits, everything collides.
  PrefixCache(std::int32_t page_count, std::int32_t page_tokens, std::uint64_t hash_seed,
              std::uint64_t hash_mask = ~std::uint64_t{0});

  void reset();  // empty, as at the start; cannot fail

  // The page that holds `tokens` (exactly page_tokens of them) after `parent`. `space` separates tenants:
  // pages of one are never found from another.
  std::int32_t find(std::uint64_t space, std::int32_t parent, std::span<const std::int32_t> tokens) const;
  // Takes `page` in. The place must be empty (find), `parent` must be in the cache or kNone.
  void insert(std::uint64_t space, std::int32_t parent, std::span<const std::int32_t> tokens,
              std::int32_t page);
  bool contains(std::int32_t page) const { return entries_[index(page)].present; }

  void set_idle(std::int32_t page);  // the cache is its only owner now: last in line for eviction
  void set_used(std::int32_t page);
  bool is_idle(std::int32_t page) const { return entries_[index(page)].idle; }
  std::int32_t idle_count() const { return idle_count_; }
  std::int32_t size() const { return size_; }

  // Forgets the page that has been idle longest and answers its number; kNone when no page is idle.
  std::int32_t evict();

 private:
  struct Entry {
    bool present = false, idle = false;
    std::int32_t parent = kNone;
    std::uint64_t space = 0, hash = 0;
    std::int32_t next_in_bucket = kNone;
    std::int32_t older = kNone, newer = kNone;  // neighbours in the list of idle pages
  };
  static std::size_t index(std::int32_t page) { return static_cast<std::size_t>(page); }
  std::uint64_t hash(std::uint64_t space, std::int32_t parent, std::span<const std::int32_t> tokens) const;
  std::int32_t& bucket(std::uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }
  void forget(std::int32_t page);

  std::int32_t page_tokens_;
  std::uint64_t hash_seed_, hash_mask_;
  std::vector<Entry> entries_;         // by page
  std::vector<std::int32_t> tokens_;   // [pages, page_tokens]
  std::vector<std::int32_t> buckets_;  // first page of each bucket; a power of two of them
  std::int32_t oldest_ = kNone, newest_ = kNone, idle_count_ = 0, size_ = 0;
};

}  // namespace pensieve::engine
