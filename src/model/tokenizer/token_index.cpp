// Open addressing with linear probes. Not a general map: nothing is ever removed.
#include "model/tokenizer/token_index.h"

#include <bit>
#include <cstring>
#include <random>

namespace pensieve::model {
namespace {

std::uint64_t load_little(const char* data, std::size_t size) {
  std::uint64_t value = 0;
  std::memcpy(&value, data, size);
  return value;
}

}  // namespace

std::uint64_t table_seed() {
  std::random_device source;
  return (std::uint64_t{source()} << 32 | source()) | 1;
}

std::size_t table_slots(std::size_t keys) {
  return std::bit_ceil(keys + keys / 3 + 2);
}

std::uint64_t table_mix(std::uint64_t value, std::uint64_t factor) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(value) * factor;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

TokenIndex::TokenIndex(std::size_t keys)
    : seed_(table_seed()), mask_(table_slots(keys) - 1), slots_(mask_ + 1) {}

std::uint64_t TokenIndex::hash(std::string_view key) const {
  constexpr std::uint64_t kFactor = 0x9FB21C651E98DF25ULL;  // odd, bits well spread
  std::uint64_t state = seed_ ^ (key.size() * kFactor);
  while (key.size() > 8) {
    state = table_mix(state ^ load_little(key.data(), 8), kFactor) + seed_;
    key.remove_prefix(8);
  }
  if (!key.empty()) state = table_mix(state ^ load_little(key.data(), key.size()), kFactor);
  return table_mix(state ^ seed_, kFactor);
}

bool TokenIndex::insert(std::string_view key, std::int32_t token) {
  const std::uint64_t code = hash(key);
  const auto tag = static_cast<std::uint32_t>(code >> 32);
  for (std::size_t at = code & mask_;; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    if (slot.token < 0) {
      slot = {key.data(), static_cast<std::uint32_t>(key.size()), tag, token};
      return true;
    }
    if (slot.tag == tag && std::string_view(slot.data, slot.size) == key) return false;
  }
}

std::int32_t TokenIndex::find(std::string_view key) const {
  const std::uint64_t code = hash(key);
  const auto tag = static_cast<std::uint32_t>(code >> 32);
  for (std::size_t at = code & mask_;; at = (at + 1) & mask_) {
    const Slot& slot = slots_[at];
    if (slot.token < 0) return -1;
    if (slot.tag == tag && std::string_view(slot.data, slot.size) == key) return slot.token;
  }
}

}  // namespace pensieve::model
