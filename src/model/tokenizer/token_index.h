// TokenIndex: byte strings to token ids, one probe for most look-ups. Not an owner of the strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace pensieve::model {

// The hash is seeded for each index: a vocabulary cannot be made to collide on purpose.
// Thread rule: immutable once filled; any thread may find.
class TokenIndex {
 public:
  TokenIndex() : TokenIndex(0) {}
  explicit TokenIndex(std::size_t keys);  // room for that many keys; inserting more is the caller's mistake

  // False when the key is there already. The bytes of `key` must outlive the index.
  bool insert(std::string_view key, std::int32_t token);
  std::int32_t find(std::string_view key) const;  // -1 when absent

 private:
  struct Slot {
    const char* data = nullptr;
    std::uint32_t size = 0;
    std::uint32_t tag = 0;  // the hash's upper half: most wrong slots are passed without touching the bytes
    std::int32_t token = -1;
  };
  std::uint64_t hash(std::string_view key) const;

  std::uint64_t seed_;
  std::size_t mask_;
  std::vector<Slot> slots_;
};

// The seed of a table keyed by what a model file holds.
std::uint64_t table_seed();
// A power of two that leaves at least a quarter of the slots empty.
std::size_t table_slots(std::size_t keys);
// One round of multiply and fold (the 128-bit product's halves xored).
std::uint64_t table_mix(std::uint64_t value, std::uint64_t factor);

}  // namespace pensieve::model
