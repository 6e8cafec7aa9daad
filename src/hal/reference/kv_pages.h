// KvPages: keys and values of one group of attention layers, in numbered pages that take memory when first
// written. Not an allocator of page numbers: the engine hands those out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/backend.h"

namespace pensieve::hal::reference {

// A page holds, layer after layer, page_tokens rows of keys and then page_tokens rows of values; a row is its
// heads one after another, each encoded on its own. Thread rule: writers alone; readers may share.
class KvPages {
 public:
  // Fails where the codec cannot be written or its blocks do not divide a head.
  static Result<KvPages> open(const Graph& graph, std::uint32_t group, std::span<const std::int32_t> states,
                              const PlanOptions& options);

  bool written(std::int32_t page) const { return pages_[static_cast<std::size_t>(page)] != nullptr; }
  std::int32_t page_count() const { return static_cast<std::int32_t>(pages_.size()); }
  std::int32_t page_tokens() const { return page_tokens_; }
  std::size_t page_bytes() const { return page_bytes_; }
  std::size_t bytes_held() const { return held_ * page_bytes_; }

  // The page's bytes, made (as zeros) when absent; null when there is no memory.
  unsigned char* make(std::int32_t page);
  std::span<const unsigned char> bytes(std::int32_t page) const {
    return {pages_[static_cast<std::size_t>(page)].get(), page_bytes_};
  }

  // One token's heads, all of them, into a slot of a page that exists.
  void write(std::size_t layer, std::int32_t page, std::int32_t slot, const float* keys, const float* values);
  // One head of one token.
  void read(std::size_t layer, std::int32_t page, std::int32_t slot, std::size_t head, float* key,
            float* value) const;

 private:
  struct Layer {
    std::size_t heads = 0, key_width = 0, value_width = 0;
    std::size_t keys_at = 0, values_at = 0;  // within a page
  };
  const Codec* codec_ = nullptr;
  std::int32_t page_tokens_ = 0;
  std::size_t page_bytes_ = 0, held_ = 0;
  std::vector<Layer> layers_;
  std::vector<std::unique_ptr<unsigned char[]>> pages_;
};

}  // namespace pensieve::hal::reference
