// TransformerConfig: the hyper-parameters that transformer architectures share, read from metadata with
// ranges checked. Not for what only one family has: its file in model/arch reads that itself, through
// HyperParameters. Key names: ggml's docs/gguf.md, each with the prefix `general.architecture` + ".".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph.h"
#include "core/metadata.h"
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
  bool flag(std::string_view key, bool absent);
  std::vector<bool> flags(std::string_view key) const;  // empty: no such list
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
  std::int64_t heads = 0, kv_heads = 0, feed_forward = 0;  // kv_heads 0: the layer does not attend
  std::int64_t window = 0;                                 // tokens seen back; 0: all
  bool rotates = true;                                     // false: keys and queries know no positions (NoPE)
  float rope_base = 0.0F;                                  // 0: that of the model
  bool stretched = true;                                   // false: rope scaling is for other layers
  bool attends() const { return kv_heads > 0; }
};

struct ExpertsConfig {
  std::int64_t count = 0;  // 0: dense
  std::int64_t inner = 0, shared_inner = 0;
  std::int64_t dense_layers = 0;  // the first ones have no experts
  RouteParams route;
};

// Whether each layer must have heads and a feed-forward part, or recurrent ones may do without.
enum class Attends : std::uint8_t { all_layers, some_layers };

struct TransformerConfig {
  std::string architecture;
  std::int64_t context = 0;     // tokens, as trained
  std::int64_t width = 0;       // columns of the residual stream
  std::int64_t vocabulary = 0;  // rows of the embedding
  std::vector<LayerConfig> layers;
  std::int64_t key_width = 0, value_width = 0;  // of one head
  RopeParams rope;                    // head_width is key_width; pairing is for the architecture to say
  std::int64_t original_context = 0;  // before the context was stretched
  float norm_epsilon = 0.0F;
  float attention_scale = 0.0F;
  float attention_soft_cap = 0.0F, final_soft_cap = 0.0F;                   // 0: none
  float embedding_scale = 1.0F, residual_scale = 1.0F, logit_scale = 1.0F;  // as in the file
  std::int64_t window = 0;                                                  // of those layers that have one
  float window_rope_base = 0.0F;
  bool causal = true;
  Pooling pooling = Pooling::none;
  ExpertsConfig experts;

  static Result<TransformerConfig> read(const Metadata& metadata, Attends attends = Attends::all_layers);
  // Pairs as the architecture says it; SafeTensors folders keep the pairs that converters to GGUF permute.
  void set_pairing(RopeParams::Pairing in_gguf);
  // A SafeTensors folder, which keeps orders of rows that converters to GGUF change.
  bool is_folder() const { return is_folder_; }
  // All layers but each period-th see only the window. Files that list their layers overrule the period.
  void set_windows(std::int64_t period);
  // Every period-th layer does without positions; lists overrule here too.
  void set_unrotated(std::int64_t period);

 private:
  std::vector<bool> listed_windows_, listed_rotations_;
  std::int64_t listed_period_ = 0;
  bool pairs_are_halves_ = false, is_folder_ = false;
};

}  // namespace pensieve::model
