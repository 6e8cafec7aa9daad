// Packing of superblocks of 256 columns (q4_k, q6_k), one lane of one superblock at a time. Used by pack.cpp
// only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hal/cpu/kernels.h"

namespace pensieve::hal::cpu {

std::size_t super_bytes(WeightKind kind, std::size_t lanes);  // of `lanes` rows
void pack_super(WeightKind kind, const std::uint8_t* block, int lanes, int lane, std::uint8_t* out);
void unpack_super(WeightKind kind, const std::uint8_t* packed, int lanes, int lane, float* out);

}  // namespace pensieve::hal::cpu
