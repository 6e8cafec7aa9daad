// Small graphs for tests of backends: one op at a time, and a small llama-like model of two layers.
// Test code: the functions are in graphs_test.cpp, which is no part of the library.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/graph.h"

namespace pensieve::hal::conformance {

// Appends nodes; the widths follow from the inputs. Every graph ends with finish(), which selects the output
// rows.
class GraphWriter {
 public:
  explicit GraphWriter(std::int64_t vocabulary) { graph_.vocabulary = vocabulary; }

  std::uint32_t embed(std::int64_t width);  // weight "table"
  std::uint32_t linear(std::uint32_t in, std::int64_t out_width, const std::string& name, bool bias = false);
  std::uint32_t norm(std::uint32_t in, NormParams params, const std::string& name, int weights);
  std::uint32_t rope(std::uint32_t in, RopeParams params, bool factors = false);
  std::uint32_t attention(std::uint32_t q, std::uint32_t k, std::uint32_t v, AttentionParams params,
                          std::uint32_t group = 0, bool sinks = false);
  std::uint32_t activate(std::uint32_t in, ActivateParams::Kind kind);
  std::uint32_t activate_gated(std::uint32_t in, std::uint32_t gated, ActivateParams::Kind kind);
  std::uint32_t linear_blocks(std::uint32_t in, std::int64_t blocks,
                              std::int64_t out_width);  // weight "blocks"
  std::uint32_t route(std::uint32_t scores, RouteParams params, bool bias = false);
  // Weights "gate", "up", "down", and with `biases` one of each more.
  std::uint32_t experts(std::uint32_t x, std::uint32_t chosen, ExpertsParams params, std::int64_t inner,
                        bool biases);
  std::uint32_t slice(std::uint32_t in, SliceParams params);
  std::uint32_t join(std::uint32_t a, std::uint32_t b, JoinParams params);
  // Each with a recurrent state of its own. Weights "taps"; "decay", "step", "skip"; "decay", "step".
  std::uint32_t conv(std::uint32_t in, std::int64_t taps, bool bias);
  std::uint32_t scan(std::uint32_t x, std::uint32_t b, std::uint32_t c, std::uint32_t dt, ScanParams params);
  std::uint32_t delta(const std::vector<std::uint32_t>& qkvab, DeltaParams params);
  std::uint32_t add(std::uint32_t a, std::uint32_t b);
  std::uint32_t scale(std::uint32_t in, float factor);
  std::uint32_t select_rows(std::uint32_t in);
  void begin_layer() { graph_.layer_cuts.push_back(static_cast<std::uint32_t>(graph_.nodes.size())); }

  // `value` becomes the logits; it is selected first when it still has every row. Its width must be the
  // vocabulary.
  Graph finish(std::uint32_t value);

 private:
  std::uint32_t append(OpParams params, std::vector<std::uint32_t> inputs, std::vector<std::uint32_t> weights,
                       ValueSpec output, std::int32_t state = -1);
  std::uint32_t weight(std::string name, std::vector<std::int64_t> shape);
  std::int32_t slot(std::int64_t elements);
  std::int64_t width(std::uint32_t value) const { return graph_.values[value].width; }
  Rows rows(std::uint32_t value) const { return graph_.values[value].rows; }
  Graph graph_;
};

struct LlamaShape {
  std::int64_t vocabulary = 96, width = 256, heads = 4, kv_heads = 2, head_width = 64, hidden = 512,
               layers = 2;
  std::int64_t window = 0;  // of every second layer, which then has a group of its own
  float soft_cap = 0.0F;
  bool biases = false;      // on q, k and v
  bool head_norms = false;  // on q and k
  RopeParams rope{.base = 10000.0F};
};
Graph llama_graph(const LlamaShape& shape);
// One layer of each recurrent op and one of attention.
Graph hybrid_graph(std::int64_t vocabulary);

}  // namespace pensieve::hal::conformance
