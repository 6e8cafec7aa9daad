// Embedder: the loop for models that make embeddings: whole texts in, one vector each out, several texts in a
// step. Not for generation (engine.h): nothing is sampled, no state outlives a text.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/backend.h"
#include "core/graph.h"
#include "engine/runner.h"

namespace pensieve::engine {

// Thread rule: one thread.
class Embedder {
 public:
  // `graph` must outlive it.
  Embedder(const Graph& graph, std::unique_ptr<Plan> plan, const Capacity& capacity);

  std::int64_t context() const { return context_; }
  // One vector for each text, as pooled, not normalised. Texts must not be empty nor longer than the context.
  // `seconds`: of each text, the first row of its second segment; empty: all texts have one.
  Result<std::vector<std::vector<float>>> embed(std::span<const std::vector<std::int32_t>> texts,
                                                std::span<const std::int64_t> seconds = {});

 private:
  struct Progress {  // of a text
    std::size_t index = 0;
    std::int64_t second = 0;  // first row of the second segment
    std::int64_t done = 0;    // rows computed
    std::vector<float> rows;  // results that pooling needs
    std::int32_t first_page = 0;
  };
  void begin(std::size_t index, std::int64_t length, std::int64_t second);
  void add_rows(Progress& text, const std::vector<std::int32_t>& tokens, std::int64_t rows);
  Result<> step(std::span<const std::vector<std::int32_t>> texts);

  const Graph& graph_;
  std::unique_ptr<Plan> plan_;
  PlanOptions options_;
  std::int64_t context_;
  std::vector<Progress> running_;
  std::int32_t pages_used_ = 0;
  std::vector<std::int32_t> tokens_, positions_, segments_, starts_, pages_, page_starts_, outputs_;
  std::vector<std::size_t> output_counts_;  // of each running text in the step
};

}  // namespace pensieve::engine
