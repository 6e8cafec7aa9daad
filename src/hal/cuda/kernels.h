// The border between the plan (C++) and the kernels (compiled by nvcc): plain structs and launch functions.
// Every launch is asynchronous on `stream`; pointers are device memory unless said otherwise; values are
// row-major f32. Launch errors are found with cudaGetLastError by the caller. Nothing here checks its
// arguments.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace pensieve::hal::cuda {

// How a matrix lies on the device. Quantized formats with a fast path are split into planes whose rows start
// at multiples of 16 bytes; `blocks` keeps the file's layout and is decoded by the codec's own decode8.
enum class Stored : std::uint8_t { f32, f16, bf16, q8_0, q4_0, q4_1, q4_k, q6_k, blocks };

struct Matrix {
  Stored stored = Stored::f32;
  std::uint32_t type = 0;  // ggml type of the file, for `blocks`
  int rows = 0, columns = 0;
  int stride = 0;  // f32, f16, bf16: elements from row to row, a multiple of 64, zeros behind the columns
  int block_elements = 1, block_bytes = 4;  // of the file
  const unsigned char* quants = nullptr;    // plain elements, or the quants of quantized formats
  const unsigned char* scales = nullptr;  // q8_0, q4_0: one half for 32 weights; q4_1: two; q6_k: one for 256
  const unsigned char* upper = nullptr;   // q6_k: upper bit pairs, 64 bytes a block
  const unsigned char* fine = nullptr;    // q6_k: 16 signed scales a block
};

enum class Act : std::uint8_t { none, silu, gelu, gelu_tanh, relu };

// Forms of a linear's input. q8: 32 signed bytes and, for each 32, {float scale, two int16 sums of 16}.
enum class Form : std::uint8_t { f32, q8, bf16 };

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
  void* meta = nullptr;  // q8 only: [rows][stride / 32] of 8 bytes
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
  Prepared input;
  float* partials = nullptr;  // room for split sums of small matrix products
  std::size_t partial_floats = 0;
  bool decoded = false;  // the weights were made by decode_to_bf16 in this step
  int multiprocessors = 132;
};
constexpr int kGemvRows = 4;  // up to so many rows one pass of the vector kernel

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
  float* partials = nullptr;      // [rows][heads][splits][value width + 2]
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
void split_q8_0(const unsigned char* blocks, std::size_t count, unsigned char* quants, unsigned char* scales,
                cudaStream_t stream);
void split_q4_0(const unsigned char* blocks, std::size_t count, unsigned char* quants, unsigned char* scales,
                cudaStream_t stream);
void split_q4_1(const unsigned char* blocks, std::size_t count, unsigned char* quants, unsigned char* scales,
                cudaStream_t stream);
void split_q6_k(const unsigned char* blocks, std::size_t count, unsigned char* quants, unsigned char* upper,
                unsigned char* fine, unsigned char* scales, cudaStream_t stream);
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

// gemv.cu, gemm.cu
void linear_vector(const LinearLaunch& launch, cudaStream_t stream);
void linear_matrix(const LinearLaunch& launch, cudaStream_t stream);  // bf16 input; no pairs, no activation

// attention.cu, attention_tiled.cu
void store_kv(const AttentionLaunch& a, cudaStream_t stream);
void attend(const AttentionLaunch& a, cudaStream_t stream);
void attend_tiled(const AttentionLaunch& a, cudaStream_t stream);

}  // namespace pensieve::hal::cuda
