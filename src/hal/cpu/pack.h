// Packing: weights from the file's layout into groups of L interleaved rows that the linear kernels read
// (README.md), and back row by row for embeddings. Not for kernels: plain C++, the same for every instruction
// set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/codec.h"
#include "hal/cpu/kernels.h"

namespace pensieve::hal::cpu {

// A packed weight's form. Rows beyond `outputs` in the last group are zero.
struct PackedShape {
  WeightKind kind = WeightKind::f32;
  int lanes = 0;  // rows in a group
  bool unsigned_bytes = false;
  int outputs = 0, inputs = 0;
  int blocks = 0;  // lines of a panel that one row meets
  int groups = 0;
  std::size_t group_bytes = 0;
  std::size_t bytes() const { return group_bytes * static_cast<std::size_t>(groups); }
};

// The kind that keeps `codec` exactly; nothing: no kernel reads it, it stays as it is and is decoded row by
// row.
std::optional<WeightKind> kind_for(const Codec& codec);
bool wants_quantized(WeightKind kind);  // reads QuantLine panels; else FloatLine

PackedShape packed_shape(WeightKind kind, const Kernels& kernels, int outputs, int inputs);

// Packs groups [begin, end) of `source` (rows of codec.row_bytes(inputs)); `out` is the first group's place,
// zero before.
void pack_groups(const PackedShape& shape, const Codec& codec, const std::uint8_t* source, int begin, int end,
                 std::uint8_t* out);

// Row `row` as floats, the values that codec.decode8 gives.
void unpack_row(const PackedShape& shape, const std::uint8_t* packed, int row, float* out);

}  // namespace pensieve::hal::cpu
