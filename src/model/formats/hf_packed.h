// Four-bit weights as AWQ and GPTQ leave them: eight numbers in a 32-bit word, with a scale and a zero point
// for each group of inputs. Sources: the packing code of AutoAWQ ("gemm") and of AutoGPTQ and GPTQModel. Not
// for finding out which tensors belong together (hf_tensors.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/codec.h"
#include "core/result.h"
#include "model/formats/safetensors.h"
#include "util/json.h"

namespace pensieve::model {

enum class Packing : std::uint8_t {
  awq,      // words hold outputs 0 2 4 6 1 3 5 7
  gptq,     // words hold inputs (zero points: outputs) in order, zero points are stored less 1
  gptq_v2,  // zero points as they are
};

// What quantization_config in config.json says; nothing where weights are not packed. `unsupported` names
// what is: another number of bits, another layout.
Result<std::optional<Packing>> packing_of(const util::Json& quantization);

struct PackedWeights {                 // null: not there
  const SafeTensor* words = nullptr;   // qweight
  const SafeTensor* zeros = nullptr;   // qzeros [groups, outputs / 8]
  const SafeTensor* scales = nullptr;  // [groups, outputs]
  const SafeTensor* groups = nullptr;  // g_idx [inputs], GPTQ: the group of each input
};

// What the weights become: q4_0 where every zero point is 8, else q4_1; f16 where inputs of one block belong
// to different groups (desc_act). q4_0 and f16's products are what the checkpoint's own kernels compute; q4_1
// rounds scale times zero point to f16, as those round the products.
struct PackedForm {
  const Codec* codec = nullptr;
  std::int64_t outputs = 0, inputs = 0, group_count = 0;
  std::size_t bytes() const {
    return static_cast<std::size_t>(outputs) * codec->row_bytes(static_cast<std::size_t>(inputs));
  }
};

// Checks every shape and number. `uniform`: never q4_0, so that matrices which are stacked have one form.
Result<PackedForm> form_of(const PackedWeights& packed, Packing packing, bool uniform);

// [outputs, inputs] in the form's codec; `out` has form.bytes().
void unpack(const PackedWeights& packed, Packing packing, const PackedForm& form, std::span<std::byte> out);

}  // namespace pensieve::model
