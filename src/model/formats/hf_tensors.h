// HfTensors: the tensors of a SafeTensors folder under the names and in the forms that graphs ask for:
// experts gathered, fused heads taken apart, numbers that no codec keeps decoded. Bytes stay in the mapping
// wherever their form is right already.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/model_file.h"
#include "model/formats/hf_names.h"
#include "model/formats/hf_packed.h"
#include "model/formats/safetensors.h"
#include "util/reserved_memory.h"

namespace pensieve::model {

struct HfShape {  // what taking tensors apart needs to know
  std::int64_t heads = 0, kv_heads = 0, head_width = 0;
  std::int64_t padding_rows = 0;  // of the position table that belong to no position
};

// Thread rule: built alone, then immutable. What was parsed must outlive it.
class HfTensors {
 public:
  // `packing`: of weights in four bits, where there are any.
  HfTensors(const HfRules& rules, HfShape shape, std::optional<Packing> packing = std::nullopt)
      : rules_(rules), shape_(shape), packing_(packing) {}

  void add(const SafeTensor& tensor);
  // A vector of our own making (rotary factors).
  void add_vector(const std::string& name, const std::vector<float>& values);
  // All tensors; what went wrong with some is in `problems`.
  std::vector<TensorInfo> finish(std::vector<std::string>& problems);
  // Weights in four bits get their bytes now; see ModelFile::materialise.
  void materialise(int threads);

 private:
  struct Scaled {  // FP8 with its scales, MXFP4 in two tensors
    const SafeTensor* values = nullptr;
    const SafeTensor* scales = nullptr;
  };
  void place(const HfName& name, const SafeTensor& tensor);
  TensorInfo info_of(const std::string& name, const SafeTensor& tensor) const;
  std::span<const std::byte> keep(std::vector<std::byte> bytes);
  void take_float8(const std::string& name, const Scaled& pair);
  void take_mxfp4(const std::string& part, std::int64_t layer, const Scaled& pair);
  bool take_packed(const SafeTensor& tensor);
  bool take_four_bits(const SafeTensor& tensor);
  void place_four_bits();
  void take_gate_up_bias(std::int64_t layer, const SafeTensor& tensor);
  void change(const HfName& name, const SafeTensor& tensor);
  void take_halves(const std::string& name, const SafeTensor& tensor);
  void gather_experts();

  struct FourBits {
    HfName name;
    PackedWeights packed;
    PackedForm form;
    std::span<std::byte> bytes;
  };

  const HfRules& rules_;
  HfShape shape_;
  std::optional<Packing> packing_;
  std::deque<SafeTensor> tensors_;  // as added; the others point to them
  std::map<std::string, std::map<std::int64_t, const SafeTensor*>> experts_;  // GGUF name to parts
  std::map<std::string, Scaled> float8_;                                      // GGUF name
  std::map<std::string, Scaled> packed_;                                      // "LAYER PART"
  std::map<std::string, FourBits> four_bits_;                                 // name up to ".qweight"
  util::ReservedMemory memory_;                                               // of four_bits_
  std::vector<TensorInfo> done_;
  std::deque<std::vector<std::byte>> owned_;
  std::vector<std::string> problems_;
};

}  // namespace pensieve::model
