// The settings of a SafeTensors folder (config.json and its companions) as the metadata keys that GGUF has,
// so that one TransformerConfig serves both. Not for tensors; what no key can say is refused by name.
#pragma once

#include <string>
#include <vector>

#include "core/metadata.h"
#include "core/result.h"
#include "util/json.h"

namespace pensieve::model {

// Divisors of rotary frequencies that GGUF files carry as tensors.
struct HfRopeFactors {
  std::vector<float> all;                // rope_freqs
  std::vector<float> in_short, in_long;  // rope_factors_short, rope_factors_long
};

// Adds the keys "ARCHITECTURE.*". Foreign bytes: values of the wrong kind are refused, naming the setting.
Result<HfRopeFactors> add_hf_config(const util::Json& config, const std::string& architecture, bool halves,
                                    Metadata& metadata);

// pooling_type of a sentence-transformers folder's 1_Pooling/config.json.
Result<> add_hf_pooling(const util::Json& pooling, const std::string& architecture, Metadata& metadata);

// Sampling defaults of generation_config.json; what is unknown or strange there is passed over.
void add_hf_generation(const util::Json& generation, Metadata& metadata);

}  // namespace pensieve::model
