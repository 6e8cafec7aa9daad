// A model file whose weights are quantized while it is loaded: the same tensors in smaller types. Nothing is
// written (quantize.h does that), and nothing converted before it is known that the result fits.
#pragma once

#include <memory>
#include <string_view>

#include "core/model_file.h"
#include "core/result.h"

namespace pensieve::model {

// Tensors that `type` (as for plan_quantization) would not make smaller stay as they are.
Result<std::unique_ptr<ModelFile>> quantized_file(std::unique_ptr<ModelFile> file, std::string_view type);

}  // namespace pensieve::model
