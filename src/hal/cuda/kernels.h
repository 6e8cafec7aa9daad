// The border between the plan (C++) and the kernels (compiled by nvcc): plain structs and launch functions.
// Every launch is asynchronous on `stream`; pointers are device memory unless said otherwise; values are
// row-major f32. Launch errors are found with cudaGetLastError by the caller. Nothing here checks its
// arguments.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace pensieve::hal::cuda {

// How a matrix lies on the device: row after row, each a whole number of 16 bytes. Rows of formats with a
// fast path are cut into segments; quantized ones other than q4_k hold the segment's planes one after the
// other: q8_0, q4_0, q4_1: quants, scales; q6_k: quants, upper bit pairs, 16 signed scales a block, one half
// a block. `blocks` keeps the file's layout and is decoded by the codec's own decode8.
enum class Stored : std::uint8_t { f32, f16, bf16, q8_0, q4_0, q4_1, q4_k, q6_k, blocks };

__host__ __device__ constexpr bool is_plain(Stored stored) {
  return stored == Stored::f32 || stored == Stored::f16 || stored == Stored::bf16;
}
__host__ __device__ constexpr int segment_columns_of(Stored stored) {
  return is_plain(stored) ? 1024 : 2048;
}
// Of a segment with so many columns; 0 for `blocks`, which have none.
__host__ __device__ constexpr int segment_bytes_of(Stored stored, int columns) {
  int bytes = 0;
  switch (stored) {
    case Stored::f32:
      bytes = columns * 4;
      break;
    case Stored::f16:
    case Stored::bf16:
      bytes = columns * 2;
      break;
    case Stored::q8_0:
      bytes = columns + columns / 16;
      break;
    case Stored::q4_0:
      bytes = columns / 2 + columns / 16;
      break;
    case Stored::q4_1:
      bytes = columns / 2 + columns / 8;
      break;
    case Stored::q4_k:
      bytes = columns / 256 * 144;
      break;
    case Stored::q6_k:
      bytes = columns / 256 * 210;
      break;
    case Stored::blocks:
      break;
  }
  return (bytes + 15) / 16 * 16;
}

struct Matrix {
  Stored stored = Stored::f32;
  std::uint32_t type = 0;  // ggml type of the file, for `blocks`
  int rows = 0, columns = 0;
  int stride = 0;  // f32, f16, bf16: elements from row to row, a multiple of 64, zeros behind the columns
  int block_elements = 1, block_bytes = 4;  // of the file
  int segment_bytes = 0;                    // of a whole segment
  std::size_t row_bytes = 0;
  const unsigned char* quants = nullptr;
};

enum class Act : std::uint8_t { none, silu, gelu, gelu_tanh, relu };

// Forms of a linear's input that a kernel of its own prepares.
enum class Form : std::uint8_t { f32, bf16 };

struct NormArgs {
  bool present = false, layer = false;
  float epsilon = 0;
  int group_width = 0;
  const float* weight = nullptr;
  const float* bias = nullptr;
};

// The prepared input: [rows][stride] in its form, zeros behind `width`.
struct Prepared {
  Form form = Form::f32;
  int width = 0, stride = 0;
  void* data = nullptr;
};
constexpr int kPreparedAlign = 64;

struct LinearPart {
  Matrix weight, paired;  // paired.quants null: none
  const float* bias = nullptr;
  const float* paired_bias = nullptr;
  const float* residual = nullptr;
  Act activation = Act::none;
  float* out = nullptr;
};
constexpr int kMostParts = 4;
struct LinearLaunch {
  int part_count = 0;
  LinearPart parts[kMostParts];  // of one Stored
  int rows = 0;
  Prepared input;              // of the vector and matrix kernels
  const float* raw = nullptr;  // of the stream kernel, which prepares it itself: [rows][raw_width]
  int raw_width = 0;
  NormArgs norm;
  float* partials = nullptr;  // room for split sums of small matrix products
  std::size_t partial_floats = 0;
  bool decoded = false;  // the weights were made by decode_to_bf16 in this step
  int multiprocessors = 132;
};
constexpr int kStreamRows = 4;  // up to so many rows weights are streamed past the input
constexpr int kWideRows = 256;  // from so many on weights are decoded once and multiplied in wide tiles

// One step's index data, on the device; the plan packs it into one copy.
struct StepIndex {
  const int* tokens = nullptr;
  const int* positions = nullptr;
  const int* row_sequence = nullptr;     // [rows]
  const int* sequence_starts = nullptr;  // [sequences + 1]
  const int* output_rows = nullptr;
};

enum class Kept : std::uint8_t { f32, f16, q8_0 };  // how keys and values are kept

struct KvState {
  Kept kept = Kept::f16;
  unsigned char* keys = nullptr;    // [page][kv head][slot][key width]
  unsigned char* values = nullptr;  // [page][kv head][slot][value width]
  int page_tokens = 0, kv_heads = 0, key_width = 0, value_width = 0;
  int key_bytes = 0, value_bytes = 0;  // of one head's row
};

struct RopeArgs {
  const float2* turns = nullptr;  // [rows][rotary_width / 2] of (cos, sin); null: no rotation
  int head_width = 0, rotary_width = 0;
  bool interleaved = false;
};

struct AttentionLaunch {
  int rows = 0, sequences = 0, heads = 0;
  float scale = 0, soft_cap = 0;
  int window = 0;
  KvState state;
  StepIndex index;
  const int* page_starts = nullptr;  // [sequences + 1]
  const int* pages = nullptr;
  float* q = nullptr;  // rotated in place by store_kv
  const float* k = nullptr;
  const float* v = nullptr;
  RopeArgs q_rope, k_rope;
  float* out = nullptr;
  int splits = 1;                 // parts of the visible positions, for few rows
  float* partials = nullptr;      // [rows][heads][splits][value width + 4]
  int* arrivals = nullptr;        // attend_fresh: zeros, [rows][kv heads]; zeros again afterwards
  const int* row_list = nullptr;  // rows for attend; null: all
  int listed = 0;
  // prefill: tiles of query rows, {sequence, first row} each
  const int2* tiles = nullptr;
  int tile_count = 0;
};
constexpr int kTileRows = 64;  // query rows in a prefill tile
constexpr int kMostSplits = 64;

bool tiled_attention_fits(const AttentionLaunch& a);

// layout.cu
// `rows` rows of the file's blocks into the matrix from `first_row` on; not for plain formats, q4_k and
// blocks.
void split_rows(const unsigned char* blocks, std::size_t rows, const Matrix& matrix, std::size_t first_row,
                cudaStream_t stream);
void decode_to_bf16(const Matrix& matrix, void* out, int stride, cudaStream_t stream);

// rows.cu
void embed(const Matrix& table, const int* tokens, int rows, float* out, cudaStream_t stream);
void prepare(const float* in, int rows, int width, const NormArgs& norm, const Prepared& out,
             cudaStream_t stream);
void norm(const float* in, int rows, int width, const NormArgs& args, float* out, cudaStream_t stream);
void rope_turns(const double* angles, int pairs, double magnitude, const int* positions, int rows,
                float2* turns, cudaStream_t stream);
void gather_positions(const int* positions, const int* output_rows, int rows, int* out, cudaStream_t stream);
void rope(const float* in, int rows, int width, const RopeArgs& args, float* out, cudaStream_t stream);
void activate(Act kind, const float* in, const float* gated, std::size_t count, float* out,
              cudaStream_t stream);
void add(const float* a, const float* b, std::size_t count, float* out, cudaStream_t stream);
void scale(const float* in, float factor, std::size_t count, float* out, cudaStream_t stream);
void select_rows(const float* in, const int* output_rows, int rows, int width, float* out,
                 cudaStream_t stream);

// stream.cu, gemv.cu, gemm.cu
bool stream_fits(const Matrix& matrix, int rows);
bool stream_norm_fits(const NormArgs& norm, int width);
void linear_stream(const LinearLaunch& launch, cudaStream_t stream);  // parts all plain or all quantized
void linear_vector(const LinearLaunch& launch, cudaStream_t stream);
void linear_matrix(const LinearLaunch& launch, cudaStream_t stream);  // bf16 input; no pairs, no activation

// gemm_wide.cu: bf16 weights and input. `wide_products`: whether the current device has what it takes;
// linear_wide returns whether it started.
bool wide_products();
bool linear_wide(const LinearPart& part, const Prepared& input, int rows, cudaStream_t stream);

// attention_fresh.cu: one row of each sequence; rotates, stores and attends in one launch.
bool fresh_attention_fits(const AttentionLaunch& a);
int fresh_head_chunks(const AttentionLaunch& a);
void attend_fresh(const AttentionLaunch& a, cudaStream_t stream);

// attention.cu, attention_tiled.cu
void store_kv(const AttentionLaunch& a, cudaStream_t stream);
void attend(const AttentionLaunch& a, cudaStream_t stream);
void attend_tiled(const AttentionLaunch& a, cudaStream_t stream);

// draw.cu: the first of the largest values of each row. `best` and `arrivals` hold zeros, and do again
// afterwards; `tokens` may be page-locked host memory.
void draw_greedy(const float* logits, int rows, int width, unsigned long long* best, int* arrivals,
                 int* tokens, cudaStream_t stream);

}  // namespace pensieve::hal::cuda
