// Quantizing a model file: which type each tensor gets, and writing the GGUF file. Not quantizing while
// loading, and no calibration: weights alone decide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model_file.h"
#include "core/result.h"
#include "model/formats/gguf_write.h"

namespace pensieve::model {

// "q4_k" makes every weight matrix q4_k; a mix such as "q4_k_m" (or "q4_0", as users know it) gives some of
// them more bits: the output matrix, and (in mixes that end in _m) values and down projections of the layers
// that suffer most. Names in any case.
std::vector<std::string> quantization_names();

struct QuantizationPlan {
  Metadata metadata;
  std::vector<TensorToWrite> tensors;  // in the order of the file
  std::vector<std::string> notes;      // tensors that could not get the type wanted, and why
  std::uint64_t bytes() const;         // of the tensors
};

// Vectors, routers of experts and positions keep their type. Rows that are no whole number of blocks get a
// type with smaller blocks. Errors: `invalid` for an unknown name (listing those known), `unsupported` for a
// tensor whose own type this build cannot read.
Result<QuantizationPlan> plan_quantization(const ModelFile& file, std::string_view type);

// All rows of a tensor, decoded and encoded again as [rows, columns] of `to`, on at most `threads` threads.
void convert_tensor(const TensorInfo& tensor, const Codec& to, std::span<std::byte> out, int threads);

// Writes beside `path` and renames at the end, so that a file of that name is whole or not there. `advance`
// hears the bytes written. Errors: `io` with what the system said.
Result<> write_quantized(const ModelFile& file, const QuantizationPlan& plan, const std::string& path,
                         int threads, const std::function<void(std::uint64_t)>& advance);

}  // namespace pensieve::model
