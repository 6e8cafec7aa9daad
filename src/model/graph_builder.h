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

// A value of the graph under construction; cheap to copy, valid as long as its builder.
class Value {
 public:
  Value operator+(Value other) const;
  std::int64_t width() const;

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

  struct Heads {
    Value q, k,
        v;  // [rows, heads * key width], [rows, key heads * key width], [rows, key heads * value width]
  };
  // The three projections "attn_q", "attn_k" and "attn_v".
  Heads qkv(Value x) const;
  // Over the whole row, or over each head of a value that has heads.
  Value rms_norm(Value x, std::string_view name) const;
  Value rope(Value x) const;
  // Causal attention over the sequence so far; window 0 sees all of it.
  Value attention(Value q, Value k, Value v, std::int64_t window = 0) const;
  // features: columns of the result; 0 means the model's width.
  Value linear(Value x, std::string_view name, std::int64_t features = 0) const;
  // ffn_down(silu(ffn_gate(x)) * ffn_up(x))
  Value swiglu(Value x) const;

 private:
  std::string name(std::string_view weight) const;
  GraphBuilder* builder_;
  std::size_t index_;
};

// Thread rule: one thread. `config` and `tensors` must outlive the builder.
class GraphBuilder {
 public:
  GraphBuilder(const TransformerConfig& config, const TensorNames& tensors);
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
  Value embed(std::string_view name);
  Value rms_norm(Value x, std::string_view name);
  Value output_rows(Value x);
  // The output head: `name`, or where the file has no such tensor the embedding `tied` used once more.
  Value head(Value x, std::string_view name, std::string_view tied);
  // Checks the whole graph; the builder is spent afterwards.
  Result<Graph> finish(Value logits);

 private:
  friend class Layer;
  friend class Value;
  Layer begin_layer(std::size_t index);
  Value add_node(OpParams params, std::vector<Value> inputs, std::vector<std::uint32_t> weights,
                 std::int64_t width, std::int64_t head_width = 0);
  std::uint32_t weight(const std::string& name, std::vector<std::int64_t> shape);
  Value linear(Value x, const std::string& name, std::int64_t features, std::int64_t head_width = 0);
  std::uint32_t state_group(StateSpec::Kind kind, std::int64_t window);

  const TransformerConfig& config_;
  const TensorNames& tensors_;
  Graph graph_;
  std::map<std::string, std::uint32_t> weight_index_;
  std::map<std::pair<StateSpec::Kind, std::int64_t>, std::uint32_t> groups_;
};

}  // namespace pensieve::model
