// GraphBuilder: lets an architecture be written like its formula; each call adds a node and names the weights
// it needs. Not an executor, and no knowledge of any one family: that is model/arch/NAME.cpp. Nodes stand in
// the order of the calls, so an expression must not hold two calls whose order C++ leaves open:
// attention(rope(q), rope(k), v) would give another graph with another compiler.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/graph.h"
#include "core/result.h"
#include "model/architecture.h"
#include "model/transformer_config.h"

namespace pensieve::model {

class GraphBuilder;
using Activate = ActivateParams::Kind;

// A value of the graph under construction; cheap to copy, valid as long as its builder.
class Value {
 public:
  Value operator+(Value other) const;
  Value operator*(float factor) const;  // itself where the factor is 1
  std::int64_t width() const;
  Value in_heads_of(std::int64_t width) const { return {*builder_, index_, width}; }

 private:
  friend class GraphBuilder;
  friend class Layer;
  Value(GraphBuilder& builder, std::uint32_t index, std::int64_t head_width)
      : builder_(&builder), index_(index), head_width_(head_width) {}
  GraphBuilder* builder_;
  std::uint32_t index_;
  std::int64_t head_width_;  // columns of one head; 0 where the columns are not split into heads
};

// One layer: its weights are "blk.INDEX.NAME.weight", and ".bias" where the file has one.
class Layer {
 public:
  Layer(GraphBuilder& builder, std::size_t index) : builder_(&builder), index_(index) {}
  std::size_t index() const { return index_; }
  const LayerConfig& config() const;
  bool has(std::string_view weight) const;  // "NAME.weight" in this layer

  struct Heads {
    Value q, k,
        v;  // [rows, heads * key width], [rows, key heads * key width], [rows, key heads * value width]
  };
  // The three projections: "attn_q", "attn_k" and "attn_v", or one "attn_qkv" that holds their rows one after
  // another.
  Heads qkv(Value x) const;
  // Over the whole row, or over each head of a value that has heads (with one weight for all heads or one for
  // each).
  Value rms_norm(Value x, std::string_view name) const;
  Value layer_norm(Value x, std::string_view name) const;
  // The same where the file has the weight, else x.
  Value rms_norm_if_any(Value x, std::string_view name) const;
  Value layer_norm_if_any(Value x, std::string_view name) const;
  // Nothing in layers without positions.
  Value rope(Value x) const;
  // The last columns of each head only.
  Value rope_last(Value x, std::int64_t width) const;
  // Over the sequence so far, as far as the layer's window reaches; with the layer's "attn_sinks" where there
  // are any.
  Value attention(Value q, Value k, Value v) const;
  // features: columns of the result; 0 means the model's width.
  Value linear(Value x, std::string_view name, std::int64_t features = 0) const;
  // A matrix for each of `blocks` pieces of the row: "NAME.weight" is [blocks, features / blocks, columns].
  Value linear_blocks(Value x, std::string_view name, std::int64_t blocks, std::int64_t features) const;
  // ffn_down(f(ffn_gate(x)) * ffn_up(x)); files may hold gate and up as the two halves of "ffn_up".
  Value gated(Value x, Activate f) const;
  Value swiglu(Value x) const { return gated(x, Activate::silu); }
  // ffn_down(f(ffn_up(x)))
  Value mlp(Value x, Activate f) const;
  // Routed experts ("ffn_gate_inp", "ffn_gate_exps", …), with the shared ones ("ffn_gate_shexp", …) where the
  // model has them, gated by "ffn_gate_inp_shexp" where there is such a gate.
  Value experts(Value x, ActivateParams f = {Activate::silu}) const;
  // Experts in layers that have a router, else swiglu.
  Value experts_or_swiglu(Value x) const { return has("ffn_gate_inp") ? experts(x) : swiglu(x); }

 private:
  std::string name(std::string_view weight) const;
  Value gated(Value x, Activate f, std::string_view suffix, std::int64_t inner) const;
  Value expert_stacks(Value x, Value chosen, ActivateParams f) const;
  GraphBuilder* builder_;
  std::size_t index_;
};

// Thread rule: one thread. What `config` and `facts` refer to must outlive the builder.
class GraphBuilder {
 public:
  GraphBuilder(const TransformerConfig& config, const ModelFacts& facts);
  GraphBuilder(const GraphBuilder&) = delete;
  GraphBuilder& operator=(const GraphBuilder&) = delete;

  // For `for (Layer layer : builder.layers())`; reaching a layer marks where the graph may be cut.
  class LayerRange {
   public:
    class Iterator {
     public:
      Iterator(GraphBuilder& builder, std::size_t index) : builder_(&builder), index_(index) {}
      Layer operator*() const { return builder_->begin_layer(index_); }
      Iterator& operator++() { return ++index_, *this; }
      bool operator!=(const Iterator& other) const { return index_ != other.index_; }

     private:
      GraphBuilder* builder_;
      std::size_t index_;
    };
    explicit LayerRange(GraphBuilder& builder) : builder_(&builder) {}
    Iterator begin() const { return {*builder_, 0}; }
    Iterator end() const { return {*builder_, builder_->config_.layers.size()}; }

   private:
    GraphBuilder* builder_;
  };
  LayerRange layers() { return LayerRange(*this); }

  // Names are without ".weight".
  bool has(std::string_view name) const { return tensors_.contains(std::string(name) + ".weight"); }
  Value embed(std::string_view name);
  // A row for each position, of as many as the model was trained with; or for the row's segment, of `rows`.
  Value embed_positions(std::string_view name);
  Value embed_segments(std::string_view name, std::int64_t rows);
  Value rms_norm(Value x, std::string_view name);
  Value layer_norm(Value x, std::string_view name);
  Value activate(Value x, ActivateParams params);
  Value gate(Value gate, Value x, ActivateParams params);  // f(gate) * x; a gate may be narrower than x
  Value soft_cap(Value x, float cap);                      // cap * tanh(x / cap); x itself where the cap is 0
  // Columns [first, first + width) of each group of columns; b beside a in each of `groups` groups.
  Value slice(Value x, std::int64_t group_width, std::int64_t first, std::int64_t width);
  Value join(std::int64_t groups, Value a, std::int64_t a_width, Value b, std::int64_t b_width);
  Value output_rows(Value x);
  // The output head: `name`, or where the file has no such tensor the embedding `tied` used once more. A
  // model that makes embeddings has none: its rows are the result; one that ranks ends in the classifier
  // "cls", "cls.output".
  Value head(Value x, std::string_view name, std::string_view tied);
  // Tensors whose names begin so may be in the file and have no part in the graph.
  void does_without(const std::string& beginning);
  // Checks the whole graph; the builder is spent afterwards.
  Result<Graph> finish(Value result);

 private:
  friend class Layer;
  friend class Value;
  struct Part {  // rows of a fused tensor
    std::int64_t first = 0, tensor_rows = 0;
  };
  Layer begin_layer(std::size_t index);
  Value add_node(OpParams params, std::vector<Value> inputs, std::vector<std::uint32_t> weights,
                 std::int64_t width, std::int64_t head_width = 0);
  std::uint32_t weight(const std::string& name, std::vector<std::int64_t> shape, Part part = {0, 0});
  Value linear(Value x, const std::string& name, std::int64_t features, std::int64_t head_width = 0,
               Part part = {0, 0});
  Value norm(Value x, const std::string& name, NormParams::Kind kind);
  std::vector<std::uint32_t> rope_factors(std::int64_t pairs);
  std::uint32_t state_group(StateSpec::Kind kind, std::int64_t window);

  const TransformerConfig& config_;
  const TensorNames& tensors_;
  std::int64_t context_;  // tokens that a sequence shall reach
  Graph graph_;
  std::map<std::pair<std::string, std::int64_t>, std::uint32_t> weight_index_;  // name and first row
  std::map<std::pair<StateSpec::Kind, std::int64_t>, std::uint32_t> groups_;
};

}  // namespace pensieve::model
