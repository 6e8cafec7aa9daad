// Feeds foreign bytes through everything that `load` does before it needs a device.
// Starts from a sound model, so that mutations reach the tensor table and the graph and not only the magic.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model/architecture.h"
#include "model/formats/checked_math.h"
#include "model/formats/gguf.h"
#include "model/formats/recognise.h"
#include "model/tiny_llama_for_test.h"
#include "model/weight_binding.h"

namespace {

using pensieve::TensorInfo;
using pensieve::model::GgufContent;

class ParsedFile final : public pensieve::ModelFile {
 public:
  explicit ParsedFile(GgufContent content) : content_(std::move(content)) {}
  const pensieve::FileReport& report() const override { return content_.report; }
  const pensieve::Metadata& metadata() const override { return content_.metadata; }
  std::span<const TensorInfo> tensors() const override { return content_.tensors; }
  const TensorInfo* find(std::string_view name) const override {
    const auto found = std::find_if(content_.tensors.begin(), content_.tensors.end(),
                                    [&](const TensorInfo& tensor) { return tensor.name == name; });
    return found == content_.tensors.end() ? nullptr : &*found;
  }
  std::uint64_t file_bytes() const override { return 0; }

 private:
  GgufContent content_;
};

class Names final : public pensieve::model::TensorNames {
 public:
  explicit Names(const ParsedFile& file) : file_(file) {}
  bool contains(std::string_view name) const override { return file_.find(name) != nullptr; }
  std::int64_t elements(std::string_view name) const override {
    const TensorInfo* tensor = file_.find(name);
    return tensor == nullptr ? 0 : pensieve::model::element_count(tensor->shape);
  }

 private:
  const ParsedFile& file_;
};

// Reads both ends of a tensor, so that a range beyond the file is caught.
void touch(const TensorInfo& tensor) {
  if (tensor.bytes.empty()) return;
  const volatile std::byte* bytes = tensor.bytes.data();
  static_cast<void>(bytes[0]);
  static_cast<void>(bytes[tensor.bytes.size() - 1]);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  if (size < 32 && seed % 4 != 0) {
    pensieve::model::testing::TinyLlama want;
    want.tied = seed % 3 != 0;
    want.biases = seed % 5 == 0;
    want.rope_factors = seed % 7 == 0;
    want.vocabulary_only = seed % 11 == 0;
    const pensieve::model::testing::GgufImage image = pensieve::model::testing::tiny_llama(want);
    size = std::min(image.bytes.size(), max_size);
    std::memcpy(data, image.bytes.data(), size);
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  if (pensieve::model::recognise(bytes).kind != pensieve::model::FileKind::gguf) return 0;
  pensieve::Result<GgufContent> content = pensieve::model::parse_gguf(bytes);
  if (!content) {
    if (content.error().what.empty()) __builtin_trap();
    return 0;
  }
  for (const TensorInfo& tensor : content->tensors) touch(tensor);
  const ParsedFile file(std::move(*content));
  // Whatever the file claims to be; sound metadata of one family is a hostile file to all others.
  const auto named = file.metadata().text("general.architecture");
  const pensieve::model::Architecture* architecture =
      named && named->has_value() ? pensieve::model::find_architecture(**named) : nullptr;
  if (architecture == nullptr) return 0;
  const Names names(file);
  pensieve::Result<pensieve::Graph> graph = architecture->build({file.metadata(), names});
  if (!graph) return 0;
  const pensieve::Result<> fits = pensieve::model::check_weights(*graph, file);
  if (!fits && fits.error().what.empty()) __builtin_trap();
  return 0;
}
