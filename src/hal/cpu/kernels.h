// Kernels: the table of inner loops that one instruction set offers, and the plain structs they work on.
// Not for planning or threads. Included by units compiled for different instruction sets, so it holds data
// only: an inline function here could be merged by the linker into code that an older processor runs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hal/activation.h"

namespace pensieve::hal::cpu {

// 32 activations of one row as int8, with everything an integer dot product needs beside them: one cache
// line. x[i] = scale * q[i], |q| <= 127.
struct alignas(64) QuantLine {
  std::int8_t q[32];
  float scale;
  float scaled_sum;         // scale * sum(q): multiplies a block's minimum
  std::int32_t minus8;      // -8 sum(q): start value for weights stored with offset 8 (q4_0)
  std::int32_t minus128;    // -128 sum(q): for bytes stored with offset 128
  std::int32_t minus32[2];  // -32 sum(q) of either half (q6_k)
  std::int32_t unused[2];
};

// 16 activations of one row in f32.
struct alignas(64) FloatLine {
  float x[16];
};

// A panel holds the rows of a batch as lines, in tiles of max_tile, then ever smaller powers of two:
// line of row i of a tile of R rows starting at row r0, block b: lines[r0 * blocks + b * R + i].
inline constexpr int kLargestTile = 16;

// How a weight is kept after packing. L = Kernels::lanes output rows form a group; groups follow one another.
// Layout of each kind: README.md.
enum class WeightKind : std::uint8_t { f32, f16, bf16, nibble, nibble_min, byte, byte_min, q4_k, q6_k };
inline constexpr int kWeightKinds = 9;

// out[row][o] = finish(sum_k W[o][k] x[row][k]) for the groups [group_begin, group_end) of L outputs.
// finish: + bias; with `paired`, activation(first) * second; else activation; then + residual.
struct LinearCall {
  const std::uint8_t* weight;  // first group
  const std::uint8_t* paired;  // null, or a second weight of the same kind and shape
  std::size_t group_bytes;
  int outputs;
  int blocks;         // lines in a row of the panel
  const void* panel;  // QuantLine or FloatLine
  int rows;
  const float* bias;  // null or [outputs]
  const float* paired_bias;
  const float* residual;  // null or [rows][residual_stride]
  std::int64_t residual_stride;
  float* out;
  std::int64_t out_stride;
  Activation activation;
  int group_begin, group_end;
};

struct NormCall {
  bool layer;  // false: rms
  float epsilon;
  int width, group_width;
  const float* weight;  // null or [group_width]
  const float* bias;
};

enum class KvKind : std::uint8_t { f32, f16, q8_0 };
inline constexpr int kKvKinds = 3;
inline constexpr int kSplitTokens = 256;  // positions that share one softmax maximum
inline constexpr int kScoreStride =
    288;  // floats between the scores of two query vectors; room for a page's overhang
inline constexpr int kAttendTile = 8;  // query vectors that share one pass over keys and values

// Where one head's keys and values lie within a page.
struct KvLayout {
  int page_tokens;
  int key_width, value_width;
  std::size_t key_group_bytes;  // L tokens
  std::size_t value_row_bytes;
};

// One split of at most kSplitTokens positions, [first, end), for up to kAttendTile query vectors of one key
// head.
struct AttendCall {
  const KvLayout* layout;
  const std::uint8_t* const* keys;  // of each page that the split touches, from the page of `first` on
  const std::uint8_t* const* values;
  int first, end;            // positions that any vector sees
  const FloatLine* queries;  // panel of `tile` vectors, key_width wide
  int tile;                  // 1, 2, 4 or 8; unused vectors repeat a used one
  const int* lows;           // [tile] vector i sees positions lows[i] <= p <= highs[i]
  const int* highs;
  float scale, soft_cap;
  float* scores;            // scratch [tile][kScoreStride]
  float* maxima;            // [tile] out: -infinity where nothing is seen
  float* sums;              // [tile] out
  float* outs;              // [tile][out_stride] out: unnormalised
  std::int64_t out_stride;  // >= value_width rounded up to lanes
};

struct Kernels {
  const char* name;
  int lanes;            // outputs in a group
  int max_tile;         // rows in a panel's largest tile
  bool unsigned_bytes;  // WeightKind::byte holds value + 128
  void (*linear[kWeightKinds])(const LinearCall& call);

  // Panels. `stride`: lines between two blocks of the row, its tile's row count.
  void (*quantize)(const float* x, int columns, QuantLine* out, int stride);
  void (*copy_lines)(const float* x, int columns, FloatLine* out, int stride);

  void (*norm)(const NormCall& call, const float* x, float* out);
  void (*add)(const float* a, const float* b, float* out, std::int64_t count);
  void (*scale)(const float* x, float factor, float* out, std::int64_t count);
  void (*activate)(Activation kind, const float* a, const float* b, float* out,
                   std::int64_t count);  // b null: not gated
  // Turns `heads` heads in place; cosines and sines as laid out by RopeTable.
  void (*rope)(float* x, int heads, int head_width, int rotary_width, bool interleaved, const float* cosines,
               const float* sines);

  void (*attend[kKvKinds])(const AttendCall& call);
  // (maximum, sum, out) becomes its union with the later split's; all three are updated.
  void (*merge)(float* maximum, float* sum, float* out, float later_maximum, float later_sum,
                const float* later_out, int width);
  void (*store_key[kKvKinds])(const KvLayout& layout, const float* key, std::uint8_t* keys, int slot);
  void (*store_value[kKvKinds])(const KvLayout& layout, const float* value, std::uint8_t* values, int slot);
};

}  // namespace pensieve::hal::cpu
