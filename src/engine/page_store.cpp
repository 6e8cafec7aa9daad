// PageStore: keeps pool and cache in step: a cached page whose last sequence lets go becomes idle, an idle
// one that is retained becomes used. Not for the content of pages.
#include "engine/page_store.h"

namespace pensieve::engine {

PageStore::PageStore(std::int32_t page_count, std::int32_t page_tokens, std::uint64_t hash_seed)
    : page_tokens_(page_tokens), pool_(page_count), cache_(page_count, page_tokens, hash_seed) {}

std::int32_t PageStore::pages_for(std::int64_t tokens) const {
  return static_cast<std::int32_t>((tokens + page_tokens_ - 1) / page_tokens_);
}

void PageStore::reset() {
  pool_.reset();
  cache_.reset();
}

std::int32_t PageStore::allocate() {
  if (pool_.free_count() == 0) {
    const std::int32_t evicted = cache_.evict();
    if (evicted != PrefixCache::kNone) pool_.release(evicted);
  }
  return pool_.allocate();
}

void PageStore::retain(std::int32_t page) {
  if (cache_.is_idle(page)) cache_.set_used(page);
  pool_.retain(page);
}

void PageStore::release(std::int32_t page) {
  const std::int32_t left = pool_.release(page);
  if (left == 1 && cache_.contains(page)) cache_.set_idle(page);
}

void PageStore::release_all(std::vector<std::int32_t>& pages) {
  for (; !pages.empty(); pages.pop_back()) release(pages.back());
}

bool PageStore::is_shared(std::int32_t page) const {
  return pool_.owners(page) > (cache_.contains(page) ? 2 : 1);
}

std::span<const std::int32_t> PageStore::tokens_of(std::span<const std::int32_t> tokens,
                                                   std::int32_t number) const {
  return tokens.subspan(static_cast<std::size_t>(number) * static_cast<std::size_t>(page_tokens_),
                        static_cast<std::size_t>(page_tokens_));
}

CachedPrefix PageStore::match(std::uint64_t space, std::span<const std::int32_t> tokens) const {
  CachedPrefix prefix;
  std::int32_t parent = PrefixCache::kNone;
  const auto whole = static_cast<std::int32_t>((tokens.size() - 1) / static_cast<std::size_t>(page_tokens_));
  for (std::int32_t number = 0; number < whole; ++number) {
    parent = cache_.find(space, parent, tokens_of(tokens, number));
    if (parent == PrefixCache::kNone) break;
    prefix.pages.push_back(parent);
    if (cache_.is_idle(parent)) ++prefix.idle;
  }
  return prefix;
}

std::int32_t PageStore::extend(std::uint64_t space, std::span<const std::int32_t> tokens,
                               std::int32_t computed, std::vector<std::int32_t>& pages) {
  const auto whole = static_cast<std::int32_t>((tokens.size() - 1) / static_cast<std::size_t>(page_tokens_));
  for (std::int32_t number = computed / page_tokens_; number < whole; ++number) {
    const auto at = static_cast<std::size_t>(number);
    const std::int32_t parent = number == 0 ? PrefixCache::kNone : pages[at - 1];
    const std::int32_t page = cache_.find(space, parent, tokens_of(tokens, number));
    if (page == PrefixCache::kNone) break;
    retain(page);
    if (at < pages.size()) {
      release(pages[at]);  // its own, computed in part
      pages[at] = page;
    } else {
      pages.push_back(page);
    }
    computed = (number + 1) * page_tokens_;
  }
  return computed;
}

std::int32_t PageStore::publish(std::uint64_t space, std::span<const std::int32_t> tokens,
                                std::int32_t computed, std::int32_t published,
                                std::vector<std::int32_t>& pages) {
  for (; (published + 1) * page_tokens_ <= computed; ++published) {
    const auto at = static_cast<std::size_t>(published);
    const std::int32_t parent = published == 0 ? PrefixCache::kNone : pages[at - 1];
    const auto own_tokens = tokens_of(tokens, published);
    const std::int32_t known = cache_.find(space, parent, own_tokens);
    if (known == pages[at]) continue;
    if (known == PrefixCache::kNone) {
      cache_.insert(space, parent, own_tokens, pages[at]);
      pool_.retain(pages[at]);
    } else {
      retain(known);
      release(pages[at]);
      pages[at] = known;
    }
  }
  return published;
}

}  // namespace pensieve::engine
