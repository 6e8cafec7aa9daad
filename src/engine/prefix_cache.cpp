// PrefixCache: a hash table of pages, chained through the entries, and a doubly linked list of the idle ones.
// Not for tokens that fill no whole page: those are computed again.
#include "engine/prefix_cache.h"

#include <algorithm>
#include <bit>

#include "engine/random.h"

namespace pensieve::engine {

PrefixCache::PrefixCache(std::int32_t page_count, std::int32_t page_tokens, std::uint64_t hash_seed,
                         std::uint64_t hash_mask)
    : page_tokens_(page_tokens),
      hash_seed_(hash_seed),
      hash_mask_(hash_mask),
      entries_(static_cast<std::size_t>(page_count)),
      tokens_(static_cast<std::size_t>(page_count) * static_cast<std::size_t>(page_tokens)),
      buckets_(std::bit_ceil(static_cast<std::size_t>(std::max(page_count, 1))), kNone) {}

void PrefixCache::reset() {
  std::fill(entries_.begin(), entries_.end(), Entry{});
  std::fill(buckets_.begin(), buckets_.end(), kNone);
  oldest_ = newest_ = kNone;
  idle_count_ = size_ = 0;
}

std::uint64_t PrefixCache::hash(std::uint64_t space, std::int32_t parent,
                                std::span<const std::int32_t> tokens) const {
  std::uint64_t value = mix_bits(hash_seed_ ^ mix_bits(space) ^ static_cast<std::uint32_t>(parent));
  for (const std::int32_t token : tokens) value = mix_bits(value + static_cast<std::uint32_t>(token));
  return value & hash_mask_;
}

std::int32_t PrefixCache::find(std::uint64_t space, std::int32_t parent,
                               std::span<const std::int32_t> tokens) const {
  const std::uint64_t wanted = hash(space, parent, tokens);
  for (std::int32_t page = buckets_[wanted & (buckets_.size() - 1)]; page != kNone;
       page = entries_[index(page)].next_in_bucket) {
    const Entry& entry = entries_[index(page)];
    if (entry.hash != wanted || entry.parent != parent || entry.space != space) continue;
    const auto* own = tokens_.data() + index(page) * index(page_tokens_);
    if (std::equal(tokens.begin(), tokens.end(), own)) return page;
  }
  return kNone;
}

void PrefixCache::insert(std::uint64_t space, std::int32_t parent, std::span<const std::int32_t> tokens,
                         std::int32_t page) {
  Entry& entry = entries_[index(page)];
  entry = Entry{.present = true, .parent = parent, .space = space, .hash = hash(space, parent, tokens)};
  std::copy(tokens.begin(), tokens.end(),
            tokens_.begin() + static_cast<std::ptrdiff_t>(index(page) * index(page_tokens_)));
  std::int32_t& first = bucket(entry.hash);
  entry.next_in_bucket = first;
  first = page;
  ++size_;
}

void PrefixCache::set_idle(std::int32_t page) {
  Entry& entry = entries_[index(page)];
  entry.idle = true;
  entry.older = newest_;
  entry.newer = kNone;
  (newest_ == kNone ? oldest_ : entries_[index(newest_)].newer) = page;
  newest_ = page;
  ++idle_count_;
}

void PrefixCache::set_used(std::int32_t page) {
  Entry& entry = entries_[index(page)];
  entry.idle = false;
  (entry.older == kNone ? oldest_ : entries_[index(entry.older)].newer) = entry.newer;
  (entry.newer == kNone ? newest_ : entries_[index(entry.newer)].older) = entry.older;
  --idle_count_;
}

std::int32_t PrefixCache::evict() {
  const std::int32_t page = oldest_;
  if (page == kNone) return kNone;
  set_used(page);
  forget(page);
  return page;
}

void PrefixCache::forget(std::int32_t page) {
  Entry& entry = entries_[index(page)];
  std::int32_t* link = &bucket(entry.hash);
  while (*link != page) link = &entries_[index(*link)].next_in_bucket;
  *link = entry.next_in_bucket;
  entry.present = false;
  --size_;
}

}  // namespace pensieve::engine
