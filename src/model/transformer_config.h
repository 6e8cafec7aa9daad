// TransformerConfig: the hyper-parameters that transformer architectures share, read from metadata with
// ranges checked. Not for what only one family has: its file in model/arch reads that itself, through
// HyperParameters. Key names: ggml's docs/gguf.md, each with the prefix `general.architecture` + ".".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/metadata.h"
#include "core/ops/rope.h"
#include "core/result.h"

namespace pensieve::model {

// Reads keys below one prefix; every fault is collected, so that a user sees all of them at once.
class HyperParameters {
 public:
  HyperParameters(const Metadata& metadata, std::string prefix)
      : metadata_(metadata), prefix_(std::move(prefix)) {}

  struct Range {
    double low, high;  // inclusive; NaN is never inside
  };
  bool has(std::string_view key) const { return metadata_.contains(full(key)); }
  std::int64_t required_integer(std::string_view key, Range range);
  std::int64_t integer(std::string_view key, std::int64_t absent, Range range);
  double required_real(std::string_view key, Range range);
  double real(std::string_view key, double absent, Range range);
  std::string text(std::string_view key, std::string absent);
  // One value for each layer: the key holds a number for all or a list with exactly `count` entries.
  std::vector<std::int64_t> per_layer(std::string_view key, const std::vector<std::int64_t>& absent,
                                      std::int64_t count, Range range);
  void fault(std::string what) { faults_.push_back(std::move(what)); }
  Result<> check() const;  // all faults in one error

 private:
  std::string full(std::string_view key) const { return prefix_ + "." + std::string(key); }
  void missing(std::string_view key);
  bool inside(std::string_view key, double value, Range range);

  const Metadata& metadata_;
  std::string prefix_;
  std::vector<std::string> faults_;
};

struct LayerConfig {
  std::int64_t heads = 0, kv_heads = 0, feed_forward = 0;
};

struct TransformerConfig {
  std::string architecture;
  std::int64_t context = 0;     // tokens, as trained
  std::int64_t width = 0;       // columns of the residual stream
  std::int64_t vocabulary = 0;  // rows of the embedding
  std::vector<LayerConfig> layers;
  std::int64_t key_width = 0, value_width = 0;  // of one head
  RopeParams rope;  // head_width is key_width; pairing is for the architecture to say
  float norm_epsilon = 0.0F;
  float attention_scale = 0.0F;
  std::int64_t experts = 0;  // 0: dense

  static Result<TransformerConfig> read(const Metadata& metadata);
};

}  // namespace pensieve::model
