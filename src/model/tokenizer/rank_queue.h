// RankQueue: positions by rank, lowest rank first and leftmost first within a rank. Not a general heap: it is
// fast when positions of one rank arrive in order, as they do in long runs of the same letters, where a heap
// would thrash the cache.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

namespace pensieve::model {

class RankQueue {
 public:
  bool empty() const { return buckets_.empty(); }

  void push(std::uint32_t rank, std::uint32_t position) {
    Bucket& bucket = buckets_[rank];
    if (bucket.ordered.empty() || bucket.ordered.back() <= position) {
      bucket.ordered.push_back(position);
    } else {
      bucket.late.push_back(position);
      std::push_heap(bucket.late.begin(), bucket.late.end(), std::greater<>());
    }
  }

  struct Entry {
    std::uint32_t rank, position;
  };
  Entry pop() {  // not empty
    const auto lowest = buckets_.begin();
    Bucket& bucket = lowest->second;
    const bool has_ordered = bucket.first < bucket.ordered.size();
    Entry entry{lowest->first, 0};
    if (!bucket.late.empty() && (!has_ordered || bucket.late.front() < bucket.ordered[bucket.first])) {
      entry.position = bucket.late.front();
      std::pop_heap(bucket.late.begin(), bucket.late.end(), std::greater<>());
      bucket.late.pop_back();
    } else {
      entry.position = bucket.ordered[bucket.first++];
    }
    if (bucket.first == bucket.ordered.size() && bucket.late.empty()) buckets_.erase(lowest);
    return entry;
  }

 private:
  struct Bucket {
    std::vector<std::uint32_t> ordered;  // ascending, from `first` on still queued
    std::size_t first = 0;
    std::vector<std::uint32_t> late;  // a heap of those that came out of order
  };
  std::map<std::uint32_t, Bucket> buckets_;
};

}  // namespace pensieve::model
