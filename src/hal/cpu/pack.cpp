// Packing of the formats that are blocks of 32 columns, and of floats; superblocks are in pack_super.cpp.
#include "hal/cpu/pack.h"

#include <array>
#include <cstring>
#include <string_view>

#include "core/half.h"
#include "hal/cpu/pack_super.h"

namespace pensieve::hal::cpu {
namespace {

struct KindName {
  std::string_view codec;
  WeightKind kind;
};
constexpr KindName kKinds[] = {
    {"f32", WeightKind::f32},       {"f16", WeightKind::f16},         {"bf16", WeightKind::bf16},
    {"q4_0", WeightKind::nibble},   {"q4_1", WeightKind::nibble_min}, {"q5_0", WeightKind::byte},
    {"q5_1", WeightKind::byte_min}, {"q8_0", WeightKind::byte},       {"iq4_nl", WeightKind::byte},
    {"q4_k", WeightKind::q4_k},     {"q6_k", WeightKind::q6_k},
};

int float_bytes(WeightKind kind) {
  return kind == WeightKind::f32 ? 4 : 2;
}
bool is_float(WeightKind kind) {
  return kind <= WeightKind::bf16;
}
bool has_minimum(WeightKind kind) {
  return kind == WeightKind::nibble_min || kind == WeightKind::byte_min;
}
bool is_nibble(WeightKind kind) {
  return kind == WeightKind::nibble || kind == WeightKind::nibble_min;
}
std::size_t header_bytes(WeightKind kind, std::size_t lanes) {
  return (has_minimum(kind) ? 4 : 2) * lanes;
}
std::size_t block_bytes(WeightKind kind, std::size_t lanes) {
  return header_bytes(kind, lanes) + (is_nibble(kind) ? 16 : 32) * lanes;
}

// One block of 32 as bytes: scale, minimum and quants. The formats with 5 bits or a table become bytes
// exactly: their decoded values are small whole numbers when the scale is 1 and the minimum 0.
void read_bytes(const Codec& codec, const std::uint8_t* block, std::size_t header, std::int8_t quants[32]) {
  std::array<std::uint8_t, 64> unit;
  std::memcpy(unit.data(), block, codec.block_bytes);
  const std::uint16_t one = float_to_half(1.0F), zero = 0;
  std::memcpy(unit.data(), &one, 2);
  if (header == 4) std::memcpy(unit.data() + 2, &zero, 2);
  for (int first = 0; first < 32; first += 8) {
    float values[8];
    codec.decode8(unit.data(), first, values);
    for (int i = 0; i < 8; ++i) quants[first + i] = static_cast<std::int8_t>(values[i]);
  }
}

void pack_block(const PackedShape& shape, const Codec& codec, const std::uint8_t* block, int lane,
                std::uint8_t* out) {
  const auto lanes = static_cast<std::size_t>(shape.lanes), at = static_cast<std::size_t>(lane);
  const std::size_t source_header = has_minimum(shape.kind) ? 4 : 2, header = header_bytes(shape.kind, lanes);
  std::memcpy(out + 2 * at, block, 2);
  if (source_header == 4) std::memcpy(out + 2 * lanes + 2 * at, block + 2, 2);
  std::uint8_t* quants = out + header + 4 * at;
  if (is_nibble(shape.kind)) {  // a file's byte i holds columns i and 16 + i, as ours does
    for (std::size_t v = 0; v < 4; ++v) std::memcpy(quants + 4 * lanes * v, block + source_header + 4 * v, 4);
    return;
  }
  std::int8_t bytes[32];
  if (codec.name == "q8_0") {
    std::memcpy(bytes, block + 2, 32);
  } else {
    read_bytes(codec, block, source_header, bytes);
  }
  for (std::size_t j = 0; j < 8; ++j) {
    std::uint32_t word;
    std::memcpy(&word, bytes + 4 * j, 4);
    if (shape.unsigned_bytes) word ^= 0x80808080U;  // value + 128
    std::memcpy(quants + 4 * lanes * j, &word, 4);
  }
}

void pack_float_row(const PackedShape& shape, const std::uint8_t* row, int lane, std::uint8_t* out) {
  const auto size = static_cast<std::size_t>(float_bytes(shape.kind)),
             lanes = static_cast<std::size_t>(shape.lanes);
  out += static_cast<std::size_t>(lane) * size;
  for (std::size_t k = 0; k < static_cast<std::size_t>(shape.inputs); ++k)
    std::memcpy(out + k * lanes * size, row + k * size, size);
}

std::uint16_t read_half(const std::uint8_t* p) {
  std::uint16_t bits;
  std::memcpy(&bits, p, 2);
  return bits;
}

void unpack_float_row(const PackedShape& shape, const std::uint8_t* group, int lane, float* out) {
  const auto size = static_cast<std::size_t>(float_bytes(shape.kind)),
             lanes = static_cast<std::size_t>(shape.lanes);
  group += static_cast<std::size_t>(lane) * size;
  for (std::size_t k = 0; k < static_cast<std::size_t>(shape.inputs); ++k, group += lanes * size) {
    if (shape.kind == WeightKind::f32) std::memcpy(out + k, group, 4);
    if (shape.kind == WeightKind::f16) out[k] = half_to_float(read_half(group));
    if (shape.kind == WeightKind::bf16) out[k] = bfloat_to_float(read_half(group));
  }
}

void unpack_block(const PackedShape& shape, const std::uint8_t* block, int lane, float* out) {
  const auto lanes = static_cast<std::size_t>(shape.lanes), at = static_cast<std::size_t>(lane);
  const float scale = half_to_float(read_half(block + 2 * at));
  const float minimum = has_minimum(shape.kind) ? half_to_float(read_half(block + 2 * lanes + 2 * at)) : 0.0F;
  const std::uint8_t* quants = block + header_bytes(shape.kind, lanes) + 4 * at;
  for (std::size_t k = 0; k < 32; ++k) {
    int q = 0;
    if (is_nibble(shape.kind)) {
      const std::uint8_t both = quants[4 * lanes * (k / 4 % 4) + k % 4];
      q = (k < 16 ? both & 15 : both >> 4) - (has_minimum(shape.kind) ? 0 : 8);
    } else {
      const std::uint8_t byte = quants[4 * lanes * (k / 4) + k % 4];
      q = shape.unsigned_bytes ? byte - 128 : static_cast<std::int8_t>(byte);
    }
    out[k] = scale * static_cast<float>(q);
    if (has_minimum(shape.kind)) out[k] += minimum;
  }
}

bool is_super(WeightKind kind) {
  return kind == WeightKind::q4_k || kind == WeightKind::q6_k;
}

}  // namespace

std::optional<WeightKind> kind_for(const Codec& codec) {
  for (const KindName& known : kKinds) {
    if (known.codec == codec.name) return known.kind;
  }
  return std::nullopt;
}

bool wants_quantized(WeightKind kind) {
  return !is_float(kind);
}

PackedShape packed_shape(WeightKind kind, const Kernels& kernels, int outputs, int inputs) {
  PackedShape shape{.kind = kind,
                    .lanes = kernels.lanes,
                    .unsigned_bytes = kernels.unsigned_bytes,
                    .outputs = outputs,
                    .inputs = inputs};
  const auto lanes = static_cast<std::size_t>(kernels.lanes);
  shape.groups = (outputs + kernels.lanes - 1) / kernels.lanes;
  shape.blocks = is_float(kind) ? (inputs + 15) / 16 : inputs / 32;
  const auto blocks = static_cast<std::size_t>(shape.blocks);
  if (is_float(kind)) {
    shape.group_bytes = blocks * 16 * lanes * static_cast<std::size_t>(float_bytes(kind));
  } else if (is_super(kind)) {
    shape.group_bytes = blocks / 8 * super_bytes(kind, lanes);
  } else {
    shape.group_bytes = blocks * block_bytes(kind, lanes);
  }
  shape.group_bytes = (shape.group_bytes + 63) / 64 * 64;
  return shape;
}

void pack_groups(const PackedShape& shape, const Codec& codec, const std::uint8_t* source, int begin, int end,
                 std::uint8_t* out) {
  const std::size_t row_bytes = codec.row_bytes(static_cast<std::size_t>(shape.inputs));
  const auto lanes = static_cast<std::size_t>(shape.lanes);
  const std::size_t step =
      is_super(shape.kind) ? super_bytes(shape.kind, lanes) : block_bytes(shape.kind, lanes);
  for (int group = begin; group < end; ++group, out += shape.group_bytes) {
    for (int lane = 0; lane < shape.lanes && group * shape.lanes + lane < shape.outputs; ++lane) {
      const std::uint8_t* row = source + static_cast<std::size_t>(group * shape.lanes + lane) * row_bytes;
      if (is_float(shape.kind)) {
        pack_float_row(shape, row, lane, out);
        continue;
      }
      std::uint8_t* place = out;
      for (std::size_t at = 0; at < row_bytes; at += codec.block_bytes, place += step) {
        if (is_super(shape.kind)) {
          pack_super(shape.kind, row + at, shape.lanes, lane, place);
        } else {
          pack_block(shape, codec, row + at, lane, place);
        }
      }
    }
  }
}

void unpack_row(const PackedShape& shape, const std::uint8_t* packed, int row, float* out) {
  const std::uint8_t* group = packed + static_cast<std::size_t>(row / shape.lanes) * shape.group_bytes;
  const int lane = row % shape.lanes;
  const auto lanes = static_cast<std::size_t>(shape.lanes);
  if (is_float(shape.kind)) return unpack_float_row(shape, group, lane, out);
  if (is_super(shape.kind)) {
    for (int k = 0; k < shape.inputs; k += 256, group += super_bytes(shape.kind, lanes))
      unpack_super(shape.kind, group, shape.lanes, lane, out + k);
    return;
  }
  for (int k = 0; k < shape.inputs; k += 32, group += block_bytes(shape.kind, lanes))
    unpack_block(shape, group, lane, out + k);
}

}  // namespace pensieve::hal::cpu
