// Layout and encoding of cached keys and values.
#include "hal/reference/kv_pages.h"

#include <fmt/format.h>

#include <new>

namespace pensieve::hal::reference {
namespace {

Result<> check_codec(const Codec* codec, const StateSpec& state, std::int32_t index) {
  if (codec == nullptr) return fail(Error::Code::invalid, "no codec was given to keep keys and values in");
  if (codec->encode == nullptr) {
    return fail(Error::Code::unsupported,
                fmt::format("keys and values cannot be kept as {}: Pensieve only reads that format; use f16",
                            codec->name));
  }
  for (const std::int64_t width : {state.key_width, state.value_width}) {
    if (width % codec->block_elements != 0) {
      return fail(
          Error::Code::unsupported,
          fmt::format(
              "keys and values of state {} cannot be kept as {}: a head of {} elements is not a whole "
              "number of blocks of {}; use f16",
              index, codec->name, width, codec->block_elements));
    }
  }
  return {};
}

}  // namespace

Result<KvPages> KvPages::open(const Graph& graph, std::uint32_t group, std::span<const std::int32_t> states,
                              const PlanOptions& options) {
  KvPages pages;
  pages.codec_ = options.kv_codec;
  pages.page_tokens_ = options.page_tokens;
  const auto tokens = static_cast<std::size_t>(options.page_tokens);
  for (const std::int32_t index : states) {
    const StateSpec& state = graph.states[static_cast<std::size_t>(index)];
    if (state.kind != StateSpec::Kind::paged_kv) {
      return fail(
          Error::Code::unsupported,
          fmt::format("state {} of group {} is not a paged key-value state, the only kind this backend keeps",
                      index, group));
    }
    if (auto usable = check_codec(options.kv_codec, state, index); !usable)
      return tl::unexpected(usable.error());
    Layer layer{static_cast<std::size_t>(state.heads), static_cast<std::size_t>(state.key_width),
                static_cast<std::size_t>(state.value_width)};
    layer.keys_at = pages.page_bytes_;
    layer.values_at = layer.keys_at + tokens * layer.heads * pages.codec_->row_bytes(layer.key_width);
    pages.page_bytes_ = layer.values_at + tokens * layer.heads * pages.codec_->row_bytes(layer.value_width);
    pages.layers_.push_back(layer);
  }
  pages.pages_.resize(static_cast<std::size_t>(options.page_count));
  return pages;
}

unsigned char* KvPages::make(std::int32_t page) {
  auto& bytes = pages_[static_cast<std::size_t>(page)];
  if (bytes == nullptr) {
    bytes.reset(new (std::nothrow) unsigned char[page_bytes_]());
    if (bytes != nullptr) ++held_;
  }
  return bytes.get();
}

void KvPages::write(std::size_t layer, std::int32_t page, std::int32_t slot, const float* keys,
                    const float* values) {
  const Layer& l = layers_[layer];
  const std::size_t key_bytes = codec_->row_bytes(l.key_width),
                    value_bytes = codec_->row_bytes(l.value_width);
  unsigned char* bytes = pages_[static_cast<std::size_t>(page)].get();
  for (std::size_t head = 0; head < l.heads; ++head) {
    const std::size_t row = static_cast<std::size_t>(slot) * l.heads + head;
    encode_row(*codec_, keys + head * l.key_width, l.key_width, bytes + l.keys_at + row * key_bytes);
    encode_row(*codec_, values + head * l.value_width, l.value_width,
               bytes + l.values_at + row * value_bytes);
  }
}

void KvPages::read(std::size_t layer, std::int32_t page, std::int32_t slot, std::size_t head, float* key,
                   float* value) const {
  const Layer& l = layers_[layer];
  const std::size_t row = static_cast<std::size_t>(slot) * l.heads + head;
  const unsigned char* bytes = pages_[static_cast<std::size_t>(page)].get();
  decode_row(*codec_, bytes + l.keys_at + row * codec_->row_bytes(l.key_width), l.key_width, key);
  decode_row(*codec_, bytes + l.values_at + row * codec_->row_bytes(l.value_width), l.value_width, value);
}

}  // namespace pensieve::hal::reference
