// ByteReader: a cursor over bytes of a file that never leaves them; numbers are little-endian.
// Not a stream: nothing is copied, and a read that does not fit leaves the cursor where it was.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace pensieve::model {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }

  template <class T>
  [[nodiscard]] bool read(T& value) {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
    static_assert(std::endian::native == std::endian::little,
                  "a big-endian host would have to swap bytes here");
    if (left() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }

  // A 64-bit length and that many bytes; the view is into the file.
  [[nodiscard]] bool read_text(std::string_view& text) {
    const std::size_t start = at_;
    std::uint64_t size = 0;
    if (!read(size)) return false;
    if (size > left()) {
      at_ = start;
      return false;
    }
    text = {reinterpret_cast<const char*>(bytes_.data() + at_), static_cast<std::size_t>(size)};
    at_ += static_cast<std::size_t>(size);
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace pensieve::model
