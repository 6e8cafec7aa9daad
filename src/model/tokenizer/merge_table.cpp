// Short pieces are merged by scanning for the lowest rank, long ones with a queue: the scan is faster below a
// few dozen symbols, the queue keeps a megabyte of one letter near-linear. Not a cache: nothing is remembered
// between calls.
#include "model/tokenizer/merge_table.h"

#include <algorithm>

#include "model/tokenizer/rank_queue.h"
#include "model/tokenizer/token_index.h"

namespace pensieve::model {
namespace {

constexpr std::size_t kScanLimit = 48;  // symbols
constexpr std::uint32_t kNone = static_cast<std::uint32_t>(-1);

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

void merge_by_scan(const MergeTable& table, std::vector<std::int32_t>& symbols, MergeScratch& scratch) {
  auto& ranks = scratch.ranks;
  std::size_t count = symbols.size();
  ranks.resize(count);
  for (std::size_t i = 0; i + 1 < count; ++i) ranks[i] = table.find(symbols[i], symbols[i + 1]).rank;
  scratch.work += count;
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    scratch.work += count;
    if (ranks[best] == MergeTable::kNever) break;
    symbols[best] = table.find(symbols[best], symbols[best + 1]).token;
    for (std::size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      ranks[i] = ranks[i + 1];
    }
    --count;
    if (best + 1 < count) ranks[best] = table.find(symbols[best], symbols[best + 1]).rank;
    if (best > 0) ranks[best - 1] = table.find(symbols[best - 1], symbols[best]).rank;
  }
  symbols.resize(count);
}

// Symbols as a linked list; the queue holds a pair for each time its rank was found, and a pair whose rank
// has changed since is passed over.
class QueueMerge {
 public:
  QueueMerge(const MergeTable& table, std::vector<std::int32_t>& symbols, MergeScratch& scratch)
      : table_(table), symbols_(symbols), scratch_(scratch) {}

  void run() {
    link();
    while (!queue_.empty()) {
      const RankQueue::Entry entry = queue_.pop();
      ++scratch_.work;
      if (scratch_.ranks[entry.position] == entry.rank) merge(entry.position);
    }
    std::size_t count = 0;
    for (std::uint32_t at = 0; at != kNone; at = scratch_.next[at]) symbols_[count++] = symbols_[at];
    symbols_.resize(count);
  }

 private:
  void link() {
    const auto count = static_cast<std::uint32_t>(symbols_.size());
    scratch_.ranks.resize(count);
    scratch_.next.resize(count);
    scratch_.previous.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      scratch_.next[i] = i + 1 < count ? i + 1 : kNone;
      scratch_.previous[i] = i > 0 ? i - 1 : kNone;
      push(i);
    }
  }

  void push(std::uint32_t at) {
    const std::uint32_t next = scratch_.next[at];
    const std::uint32_t rank =
        next == kNone ? MergeTable::kNever : table_.find(symbols_[at], symbols_[next]).rank;
    scratch_.ranks[at] = rank;
    ++scratch_.work;
    if (rank != MergeTable::kNever) queue_.push(rank, at);
  }

  void merge(std::uint32_t at) {
    const std::uint32_t gone = scratch_.next[at];
    const std::uint32_t after = scratch_.next[gone];
    symbols_[at] = table_.find(symbols_[at], symbols_[gone]).token;
    scratch_.ranks[gone] = MergeTable::kNever;
    scratch_.next[at] = after;
    if (after != kNone) scratch_.previous[after] = at;
    push(at);
    if (scratch_.previous[at] != kNone) push(scratch_.previous[at]);
  }

  const MergeTable& table_;
  std::vector<std::int32_t>& symbols_;
  MergeScratch& scratch_;
  RankQueue queue_;
};

}  // namespace

MergeTable::MergeTable(std::size_t merges)
    : seed_(table_seed()), mask_(table_slots(merges) - 1), slots_(mask_ + 1) {}

std::size_t MergeTable::first_slot(std::uint64_t key) const {
  return table_mix(key ^ seed_, 0x9FB21C651E98DF25ULL) & mask_;
}

bool MergeTable::insert(std::int32_t left, std::int32_t right, Merge merge) {
  const std::uint64_t key = pair_key(left, right);
  for (std::size_t at = first_slot(key);; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    if (slot.merge.token < 0) {
      slot = {key, merge};
      return true;
    }
    if (slot.key == key) return false;
  }
}

MergeTable::Merge MergeTable::find(std::int32_t left, std::int32_t right) const {
  const std::uint64_t key = pair_key(left, right);
  for (std::size_t at = first_slot(key);; at = (at + 1) & mask_) {
    const Slot& slot = slots_[at];
    if (slot.merge.token < 0) return {};
    if (slot.key == key) return slot.merge;
  }
}

void merge_symbols(const MergeTable& table, std::vector<std::int32_t>& symbols, MergeScratch& scratch) {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kScanLimit) {
    merge_by_scan(table, symbols, scratch);
  } else {
    QueueMerge(table, symbols, scratch).run();
  }
}

}  // namespace pensieve::model
