// A complete llama model of a few kilobytes for tests and fuzzers: 2 layers, width 32, 4 heads on 2 key
// heads. Not a model that says anything: its weights are all alike.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/formats/gguf_writer_for_test.h"

namespace pensieve::model::testing {

struct TinyLlama {
  bool tied = true;  // no output.weight
  bool biases = false;
  bool rope_factors = false;
  bool vocabulary_only = false;
  std::uint32_t context = 128;
  std::uint32_t matrix_type = 3;           // q4_1: 20 bytes for 32 weights
  std::uint32_t norm_type = 0;             // f32, or 1: f16
  std::function<void(GgufWriter&)> extra;  // more keys or tensors
};

// The 256 characters that byte-level tokenizers write bytes as, then two control tokens.
inline std::vector<std::string> tiny_vocabulary() {
  std::vector<std::string> tokens;
  unsigned next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const unsigned point = printable ? byte : next++;
    if (point < 0x80) {
      tokens.emplace_back(1, static_cast<char>(point));
    } else {
      tokens.push_back({static_cast<char>(0xC0U | (point >> 6)), static_cast<char>(0x80U | (point & 63U))});
    }
  }
  tokens.emplace_back("<|begin|>");
  tokens.emplace_back("<|end|>");
  return tokens;
}

inline void put_tiny_vocabulary(GgufWriter& file) {
  const std::vector<std::string> tokens = tiny_vocabulary();
  std::vector<std::int32_t> types(tokens.size(), 1);
  types[256] = types[257] = 3;  // control
  file.text("tokenizer.ggml.model", "gpt2");
  file.text("tokenizer.ggml.pre", "gpt-2");
  file.texts("tokenizer.ggml.tokens", tokens);
  file.numbers("tokenizer.ggml.token_type", kI32, types);
  file.texts("tokenizer.ggml.merges", {});
  file.u32("tokenizer.ggml.bos_token_id", 256);
  file.u32("tokenizer.ggml.eos_token_id", 257);
}

inline void put_tiny_weights(GgufWriter& file, const TinyLlama& want) {
  constexpr std::uint64_t kWidth = 32, kInner = 64, kKeys = 16, kTokens = 258;
  const auto vector = [&](const std::string& name, std::uint64_t size, std::uint32_t type) {
    file.tensor(name, {size}, type, std::string(size * (type == 0 ? 4 : 2), '\0'));
  };
  const auto matrix = [&](const std::string& name, std::uint64_t columns, std::uint64_t rows) {
    const std::uint64_t row_bytes = want.matrix_type == 3 ? columns / 32 * 20 : columns * 4;
    file.tensor(name + ".weight", {columns, rows}, want.matrix_type, std::string(rows * row_bytes, '\1'));
    if (want.biases && name.find("attn_") != std::string::npos) vector(name + ".bias", rows, 0);
  };
  if (want.rope_factors) vector("rope_freqs.weight", 4, 0);
  matrix("token_embd", kWidth, kTokens);
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    vector(prefix + "attn_norm.weight", kWidth, want.norm_type);
    matrix(prefix + "attn_q", kWidth, kWidth);
    matrix(prefix + "attn_k", kWidth, kKeys);
    matrix(prefix + "attn_v", kWidth, kKeys);
    matrix(prefix + "attn_output", kWidth, kWidth);
    vector(prefix + "ffn_norm.weight", kWidth, want.norm_type);
    matrix(prefix + "ffn_gate", kWidth, kInner);
    matrix(prefix + "ffn_up", kWidth, kInner);
    matrix(prefix + "ffn_down", kInner, kWidth);
  }
  vector("output_norm.weight", kWidth, want.norm_type);
  if (!want.tied) matrix("output", kWidth, kTokens);
}

inline GgufImage tiny_llama(const TinyLlama& want = {}) {
  GgufWriter file;
  file.text("general.architecture", "llama");
  file.text("general.name", "Tiny");
  file.u32("llama.block_count", 2);
  file.u32("llama.context_length", want.context);
  file.u32("llama.embedding_length", 32);
  file.u32("llama.feed_forward_length", 64);
  file.u32("llama.attention.head_count", 4);
  file.u32("llama.attention.head_count_kv", 2);
  file.f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  file.f32("llama.rope.freq_base", 10000.0F);
  file.u32("llama.rope.dimension_count", 8);
  put_tiny_vocabulary(file);
  if (want.extra) want.extra(file);
  if (!want.vocabulary_only) put_tiny_weights(file, want);
  return file.finish();
}

}  // namespace pensieve::model::testing
