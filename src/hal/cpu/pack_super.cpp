// Superblocks: scales unpacked to bytes, quants regrouped so that each block of 32 columns stands alone.
#include "hal/cpu/pack_super.h"

#include <cstring>

#include "core/half.h"

namespace pensieve::hal::cpu {
namespace {

struct Places {  // of one lane within a packed superblock
  std::size_t lanes, lane;
  std::size_t half(std::size_t i) const { return 2 * lanes * i + 2 * lane; }
  std::size_t byte(std::size_t at, std::size_t i) const { return at + i * lanes + lane; }
  std::size_t quad(std::size_t at, std::size_t vector) const { return at + (vector * lanes + lane) * 4; }
};

// 32 values below 16: vector v holds columns 4v.. in its low, 16 + 4v.. in its high nibbles.
void pack_nibbles(const std::uint8_t q[32], const Places& places, std::size_t at, std::uint8_t* out) {
  for (std::size_t v = 0; v < 4; ++v) {
    for (std::size_t i = 0; i < 4; ++i)
      out[places.quad(at, v) + i] =
          static_cast<std::uint8_t>((q[4 * v + i] & 15) | (q[16 + 4 * v + i] & 15) << 4);
  }
}
int nibble(const std::uint8_t* packed, const Places& places, std::size_t at, std::size_t column) {
  const std::uint8_t both = packed[places.quad(at, column / 4 % 4) + column % 4];
  return column < 16 ? both & 15 : both >> 4;
}

void pack_q4_k(const std::uint8_t* block, const Places& places, std::uint8_t* out) {
  std::memcpy(out + places.half(0), block, 2);
  std::memcpy(out + places.half(1), block + 2, 2);
  const std::uint8_t* packed = block + 4;
  for (std::size_t s = 0; s < 8; ++s) {
    const int scale = s < 4 ? packed[s] & 63 : (packed[s + 4] & 15) | (packed[s - 4] >> 6) << 4;
    const int minimum = s < 4 ? packed[s + 4] & 63 : packed[s + 4] >> 4 | (packed[s] >> 6) << 4;
    out[places.byte(4 * places.lanes, s)] = static_cast<std::uint8_t>(scale);
    out[places.byte(12 * places.lanes, s)] = static_cast<std::uint8_t>(minimum);
    std::uint8_t q[32];
    for (std::size_t i = 0; i < 32; ++i)
      q[i] = static_cast<std::uint8_t>(block[16 + s / 2 * 32 + i] >> (s % 2 * 4) & 15);
    // 16 bytes of nibbles make a vector each: 4 vectors of 4 * lanes bytes a block.
    pack_nibbles(q, places, (4 + 16 + 16 * s) * places.lanes, out);
  }
}

void unpack_q4_k(const std::uint8_t* packed, const Places& places, float* out) {
  std::uint16_t d, least;
  std::memcpy(&d, packed + places.half(0), 2);
  std::memcpy(&least, packed + places.half(1), 2);
  for (std::size_t s = 0; s < 8; ++s) {
    const float scale = half_to_float(d) * static_cast<float>(packed[places.byte(4 * places.lanes, s)]);
    const float minimum =
        half_to_float(least) * static_cast<float>(packed[places.byte(12 * places.lanes, s)]);
    for (std::size_t i = 0; i < 32; ++i)
      out[32 * s + i] =
          scale * static_cast<float>(nibble(packed, places, (20 + 16 * s) * places.lanes, i)) - minimum;
  }
}

void pack_q6_k(const std::uint8_t* block, const Places& places, std::uint8_t* out) {
  std::memcpy(out + places.half(0), block + 208, 2);
  for (std::size_t s = 0; s < 16; ++s) out[places.byte(2 * places.lanes, s)] = block[192 + s];
  for (std::size_t s = 0; s < 8; ++s) {
    const std::uint8_t* low = block + 64 * (s / 4) + 32 * (s % 2);
    const std::uint8_t* pairs = block + 128 + 32 * (s / 4);
    std::uint8_t q[32], high[32];
    for (std::size_t i = 0; i < 32; ++i) {
      q[i] = static_cast<std::uint8_t>(low[i] >> (s % 4 / 2 * 4) & 15);
      high[i] = static_cast<std::uint8_t>(pairs[i] >> (2 * (s % 4)) & 3);
    }
    const std::size_t at = (18 + 24 * s) * places.lanes;
    pack_nibbles(q, places, at, out);
    for (std::size_t v = 0; v < 2; ++v) {  // byte i of a lane: bits 2j hold column 16v + 4j + i
      for (std::size_t i = 0; i < 4; ++i) {
        unsigned bits = 0;
        for (std::size_t j = 0; j < 4; ++j)
          bits |= static_cast<unsigned>(high[16 * v + 4 * j + i]) << (2 * j);
        out[places.quad(at, 4 + v) + i] = static_cast<std::uint8_t>(bits);
      }
    }
  }
}

void unpack_q6_k(const std::uint8_t* packed, const Places& places, float* out) {
  std::uint16_t d;
  std::memcpy(&d, packed + places.half(0), 2);
  for (std::size_t k = 0; k < 256; ++k) {
    const std::size_t s = k / 32, column = k % 32, at = (18 + 24 * s) * places.lanes;
    const auto scale = static_cast<std::int8_t>(packed[places.byte(2 * places.lanes, k / 16)]);
    const int high = packed[places.quad(at, 4 + column / 16) + column % 4] >> (2 * (column / 4 % 4)) & 3;
    const int q = nibble(packed, places, at, column) | high << 4;
    out[k] = half_to_float(d) * static_cast<float>(scale) * static_cast<float>(q - 32);
  }
}

}  // namespace

std::size_t super_bytes(WeightKind kind, std::size_t lanes) {
  return (kind == WeightKind::q4_k ? 4 + 16 + 8 * 16 : 2 + 16 + 8 * 24) * lanes;
}

void pack_super(WeightKind kind, const std::uint8_t* block, int lanes, int lane, std::uint8_t* out) {
  const Places places{static_cast<std::size_t>(lanes), static_cast<std::size_t>(lane)};
  if (kind == WeightKind::q4_k) {
    pack_q4_k(block, places, out);
  } else {
    pack_q6_k(block, places, out);
  }
}

void unpack_super(WeightKind kind, const std::uint8_t* packed, int lanes, int lane, float* out) {
  const Places places{static_cast<std::size_t>(lanes), static_cast<std::size_t>(lane)};
  if (kind == WeightKind::q4_k) {
    unpack_q4_k(packed, places, out);
  } else {
    unpack_q6_k(packed, places, out);
  }
}

}  // namespace pensieve::hal::cpu
