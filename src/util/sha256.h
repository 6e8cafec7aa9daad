// SHA-256 (FIPS 180-4) of bytes that come piece by piece: what names a file's content. Not for secrets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace pensieve::util {

// Thread rule: one thread.
class Sha256 {
 public:
  void add(std::span<const std::byte> bytes);
  // 64 digits in lower case; the object is spent afterwards.
  std::string hexadecimal();

 private:
  void block(const std::byte* bytes);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> waiting_{};
  std::size_t waiting_size_ = 0;
  std::uint64_t size_ = 0;  // bytes so far
};

}  // namespace pensieve::util
