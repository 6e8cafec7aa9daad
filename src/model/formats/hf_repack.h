// Bytes of tensors put into another order or form: plain functions that own what they give.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "model/formats/safetensors.h"

namespace pensieve::model {

// [rows, columns] becomes [columns, rows]; `element` bytes each.
std::vector<std::byte> transposed(std::span<const std::byte> bytes, std::size_t rows, std::size_t columns,
                                  std::size_t element);

// Rows (or elements of a bias) that come key head by key head, its `group` queries, its key, its value, each
// `head_rows` long, become all queries, all keys, all values.
Result<std::vector<std::byte>> split_fused_heads(std::span<const std::byte> bytes,
                                                 const std::vector<std::int64_t>& shape,
                                                 std::int64_t kv_heads, std::int64_t group,
                                                 std::int64_t head_rows);

// Elements 0, 2, 4, ... or 1, 3, 5, ...
std::vector<std::byte> every_second(std::span<const std::byte> bytes, std::size_t element, std::size_t first);

// FP8 (E4M3) times its scales, of which there is one for the tensor, one for each row, or one for each block
// of 128 x 128; as f32, because no narrower type holds the products. `scales` may be null.
Result<std::vector<std::byte>> decode_float8(const SafeTensor& values, const SafeTensor* scales);

// MXFP4 in two tensors, blocks [experts, rows, columns / 32, 16] and scales [experts, rows, columns / 32], as
// blocks of GGUF's codec. `alternate`: only the even rows (`half` 0: gates) or the odd ones (1: ups).
Result<std::vector<std::byte>> repack_mxfp4(const SafeTensor& blocks, const SafeTensor& scales,
                                            bool alternate, std::size_t half);

}  // namespace pensieve::model
