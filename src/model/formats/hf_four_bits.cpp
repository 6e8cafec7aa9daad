// HfTensors' weights in four bits: gathered by name, given a form and a place, unpacked when that is asked
// for.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "model/formats/findings.h"
#include "model/formats/hf_tensors.h"
#include "util/mapped_file.h"

namespace pensieve::model {

bool HfTensors::take_four_bits(const SafeTensor& tensor) {
  if (!packing_) return false;
  constexpr std::pair<std::string_view, const SafeTensor * PackedWeights::*> kKinds[] = {
      {".qweight", &PackedWeights::words},
      {".qzeros", &PackedWeights::zeros},
      {".scales", &PackedWeights::scales},
      {".g_idx", &PackedWeights::groups}};
  for (const auto& [end, member] : kKinds) {
    if (!tensor.name.ends_with(end)) continue;
    const std::string module = tensor.name.substr(0, tensor.name.size() - end.size());
    const std::optional<HfName> name = gguf_name_of(module + ".weight", rules_);
    if (!name) return false;  // whoever checks the weights will say that it is unknown
    FourBits& found = four_bits_[module];
    found.name = *name;
    found.packed.*member = &tensor;
    return true;
  }
  return false;
}

// Places first, then names: what has no place yet is not shown to anybody.
void HfTensors::place_four_bits() {
  constexpr std::size_t kAlignment = 64;
  std::size_t bytes = 0;
  std::vector<std::pair<FourBits*, std::size_t>> sound;
  for (auto& [module, found] : four_bits_) {
    if (found.name.change != HfChange::none) {
      problems_.push_back(fmt::format("{} would have to be rearranged, which weights in four bits cannot be",
                                      printable(module)));
      continue;
    }
    Result<PackedForm> form = form_of(found.packed, *packing_, found.name.expert.has_value());
    if (!form) {
      problems_.push_back(fmt::format("{}: {}", printable(module), form.error().what));
      continue;
    }
    found.form = *form;
    sound.emplace_back(&found, bytes);
    bytes += (form->bytes() + kAlignment - 1) / kAlignment * kAlignment;
  }
  Result<util::ReservedMemory> memory = util::ReservedMemory::reserve(bytes);
  if (!memory) return problems_.push_back(memory.error().what);
  memory_ = std::move(*memory);
  for (const auto& [found, at] : sound) {
    found->bytes = memory_.bytes().subspan(at, found->form.bytes());
    std::string type(found->form.codec->name);
    std::transform(type.begin(), type.end(), type.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    tensors_.push_back(
        {found->packed.words->name, type, {found->form.outputs, found->form.inputs}, found->bytes});
    place(found->name, tensors_.back());
  }
}

void HfTensors::materialise(int threads) {
  std::vector<const FourBits*> waiting;
  for (const auto& [module, found] : four_bits_) {
    if (!found.bytes.empty()) waiting.push_back(&found);
  }
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < std::max(threads, 1) && !waiting.empty(); ++i) {
    workers.emplace_back([&] {
      for (std::size_t at = next++; at < waiting.size(); at = next++) {
        const FourBits& one = *waiting[at];
        unpack(one.packed, *packing_, one.form, one.bytes);
        for (const SafeTensor* tensor : {one.packed.words, one.packed.zeros, one.packed.scales})
          util::release_mapped(tensor->bytes);  // read once and no more
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
}

}  // namespace pensieve::model
