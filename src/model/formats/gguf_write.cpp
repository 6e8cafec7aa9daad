// Source of the layout: the GGUF specification. The default alignment of 32 bytes is used throughout.
#include "model/formats/gguf_write.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <type_traits>
#include <variant>

namespace pensieve::model {
namespace {

constexpr std::uint64_t kAlignment = 32;
enum Kind : std::uint32_t {
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kText = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11
};

class Head {
 public:
  template <class T>
  void number(T value) {
    using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
    const auto bits = std::bit_cast<Bits>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i) bytes.push_back(static_cast<char>(bits >> 8 * i));
  }
  void text(std::string_view value) {
    number(static_cast<std::uint64_t>(value.size()));
    bytes += value;
  }
  void value(const MetadataValue& held) {
    std::visit([this](const auto& inner) { put(inner); }, held);
  }
  void pad() { bytes.append(gguf_padding(bytes.size()), '\0'); }

  std::string bytes;

 private:
  static Kind kind_of(std::int64_t low, std::int64_t high) {
    if (low >= 0) return high <= std::numeric_limits<std::uint32_t>::max() ? kU32 : kU64;
    return low >= std::numeric_limits<std::int32_t>::min() && high <= std::numeric_limits<std::int32_t>::max()
               ? kI32
               : kI64;
  }
  void whole(Kind kind, std::int64_t value) {
    if (kind == kU32 || kind == kI32) {
      number(static_cast<std::uint32_t>(value));
    } else {
      number(static_cast<std::uint64_t>(value));
    }
  }
  void begin_array(Kind kind, std::size_t size) {
    number(static_cast<std::uint32_t>(kArray));
    number(static_cast<std::uint32_t>(kind));
    number(static_cast<std::uint64_t>(size));
  }

  void put(bool value) {
    number(static_cast<std::uint32_t>(kBool));
    bytes.push_back(value ? 1 : 0);
  }
  void put(std::int64_t value) {
    const Kind kind = kind_of(value, value);
    number(static_cast<std::uint32_t>(kind));
    whole(kind, value);
  }
  void put(std::uint64_t value) {
    const bool narrow = value <= std::numeric_limits<std::uint32_t>::max();
    number(static_cast<std::uint32_t>(narrow ? kU32 : kU64));
    whole(narrow ? kU32 : kU64, static_cast<std::int64_t>(value));
  }
  void put(double value) {
    number(static_cast<std::uint32_t>(kF32));
    number(static_cast<float>(value));
  }
  void put(const std::string& value) {
    number(static_cast<std::uint32_t>(kText));
    text(value);
  }
  void put(const std::vector<bool>& values) {
    begin_array(kBool, values.size());
    for (const bool value : values) bytes.push_back(value ? 1 : 0);
  }
  void put(const std::vector<std::int64_t>& values) {
    const auto bounds = std::minmax_element(values.begin(), values.end());
    const std::int64_t low = values.empty() ? 0 : *bounds.first, high = values.empty() ? 0 : *bounds.second;
    // Readers expect lists of token types and the like to be signed.
    const Kind kind = kind_of(std::min<std::int64_t>(low, -1), high);
    begin_array(kind, values.size());
    for (const std::int64_t value : values) whole(kind, value);
  }
  void put(const std::vector<double>& values) {
    begin_array(kF32, values.size());
    for (const double value : values) number(static_cast<float>(value));
  }
  void put(const std::vector<std::string>& values) {
    begin_array(kText, values.size());
    for (const std::string& value : values) text(value);
  }
};

}  // namespace

std::uint64_t TensorToWrite::bytes() const {
  std::uint64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= static_cast<std::uint64_t>(shape[i]);
  return rows * codec->row_bytes(static_cast<std::size_t>(shape.back()));
}

std::uint64_t gguf_padding(std::uint64_t bytes) {
  return (kAlignment - bytes % kAlignment) % kAlignment;
}

std::string gguf_head(const Metadata& metadata, std::span<const TensorToWrite> tensors) {
  Head head;
  head.bytes = "GGUF";
  head.number(std::uint32_t{3});
  head.number(static_cast<std::uint64_t>(tensors.size()));
  head.number(static_cast<std::uint64_t>(metadata.all().size()));
  for (const auto& [key, value] : metadata.all()) {
    head.text(key);
    head.value(value);
  }
  std::uint64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    head.text(tensor.name);
    head.number(static_cast<std::uint32_t>(tensor.shape.size()));
    for (std::size_t i = tensor.shape.size(); i-- > 0;)
      head.number(static_cast<std::uint64_t>(tensor.shape[i]));
    head.number(tensor.codec->ggml_type);
    head.number(offset);
    offset += tensor.bytes();
    offset += gguf_padding(offset);
  }
  head.pad();
  return std::move(head.bytes);
}

}  // namespace pensieve::model
