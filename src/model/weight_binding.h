// bind_weights: finds the tensor for each weight of a graph, checks it, and makes its bytes available on a
// device. Not a parser (model/formats) and not a repacker: layouts are each backend's own affair.
#pragma once

#include <memory>
#include <vector>

#include "core/backend.h"
#include "core/graph.h"
#include "core/model_file.h"
#include "core/result.h"

namespace pensieve::model {

struct BoundWeights {
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<Weight> weights;  // by index of Graph::weights
};

// Everything that does not fit is found before the first byte is adopted: missing tensors, other shapes,
// types that this build cannot read, and tensors that the graph has no use for (a model that needs them would
// silently compute nonsense).
Result<> check_weights(const Graph& graph, const ModelFile& file);

// After check_weights. Vectors (norms, biases, rope factors) become f32, as the ops want them; so do tensors
// that the file has placed at addresses which no processor reads well.
Result<BoundWeights> bind_weights(const Graph& graph, const ModelFile& file, Backend& backend);

}  // namespace pensieve::model
