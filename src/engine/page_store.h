// PageStore: pages as sequences use them: allocated, shared, remembered in the prefix cache, evicted when
// none is free. Not for deciding who gets pages: the scheduler does. Thread rule: the engine's thread only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/page_pool.h"
#include "engine/prefix_cache.h"

namespace pensieve::engine {

struct CachedPrefix {
  std::vector<std::int32_t> pages;  // whole pages, in order; not retained
  std::int32_t idle = 0;            // those that count as available until they are retained
};

class PageStore {
 public:
  PageStore(std::int32_t page_count, std::int32_t page_tokens, std::uint64_t hash_seed);

  std::int32_t page_tokens() const { return page_tokens_; }
  std::int32_t pages_for(std::int64_t tokens) const;  // pages that so many tokens fill or begin
  std::int32_t available() const { return pool_.free_count() + cache_.idle_count(); }
  std::int32_t used() const { return pool_.size() - pool_.free_count(); }  // by sequences and cache
  std::int32_t total() const { return pool_.size(); }

  void reset();             // nobody holds a page and nothing is cached; cannot fail
  std::int32_t allocate();  // evicts the page idle longest when none is free; -1 when all are in use
  void retain(std::int32_t page);
  void release(std::int32_t page);
  void release_all(
      std::vector<std::int32_t>& pages);    // last first (prefix_cache.h says why), then empties the list
  bool is_shared(std::int32_t page) const;  // has an owner besides one sequence and the cache

  // The longest cached run of whole pages of `tokens` that leaves at least one token to compute.
  CachedPrefix match(std::uint64_t space, std::span<const std::int32_t> tokens) const;
  // Replaces or appends pages from number `tokens computed / page_tokens` on by cached ones, as far as they
  // reach, and answers how many tokens are computed then.
  std::int32_t extend(std::uint64_t space, std::span<const std::int32_t> tokens, std::int32_t computed,
                      std::vector<std::int32_t>& pages);
  // Remembers the whole pages among the first `computed` tokens; `published` of them are known already. Where
  // the cache holds the same tokens in another page, the sequence takes that one and gives its own back.
  // Answers the new number.
  std::int32_t publish(std::uint64_t space, std::span<const std::int32_t> tokens, std::int32_t computed,
                       std::int32_t published, std::vector<std::int32_t>& pages);

  const PagePool& pool() const { return pool_; }
  const PrefixCache& cache() const { return cache_; }

 private:
  std::span<const std::int32_t> tokens_of(std::span<const std::int32_t> tokens, std::int32_t number) const;

  std::int32_t page_tokens_;
  PagePool pool_;
  PrefixCache cache_;
};

}  // namespace pensieve::engine
