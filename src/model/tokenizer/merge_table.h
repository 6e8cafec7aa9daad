// Byte-pair merges: which two neighbouring tokens become one, and in what order. Not for texts: symbols are
// token ids.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pensieve::model {

// Thread rule: immutable once filled; any thread may find.
class MergeTable {
 public:
  static constexpr std::uint32_t kNever = static_cast<std::uint32_t>(-1);
  struct Merge {
    std::uint32_t rank = kNever;  // lower merges first
    std::int32_t token = -1;
  };

  MergeTable() : MergeTable(0) {}
  explicit MergeTable(std::size_t merges);  // room for that many; inserting more is the caller's mistake

  // False when the pair has a merge already, which then stays.
  bool insert(std::int32_t left, std::int32_t right, Merge merge);
  Merge find(std::int32_t left, std::int32_t right) const;

 private:
  struct Slot {
    std::uint64_t key = 0;
    Merge merge;
  };
  std::size_t first_slot(std::uint64_t key) const;

  std::uint64_t seed_;
  std::size_t mask_;
  std::vector<Slot> slots_;
};

// Room for merging, kept by the caller to be used again.
struct MergeScratch {
  std::vector<std::uint32_t> ranks;  // of each symbol's merge with the next living one
  std::vector<std::uint32_t> next, previous;
  std::uint64_t work = 0;  // pair look-ups and queue steps since construction
};

// Replaces `symbols` (ids, -1 for what never merges) by what the merges make of them: always the lowest rank
// first, the leftmost among equals. O(n log n); at most 2^32 - 2 symbols.
void merge_symbols(const MergeTable& table, std::vector<std::int32_t>& symbols, MergeScratch& scratch);

}  // namespace pensieve::model
