// The plan is that of the verb `quantize`; the bytes go to reserved memory, tensor by tensor.
#include "model/quantized_file.h"

#include <unordered_map>
#include <utility>
#include <vector>

#include "model/quantize.h"
#include "util/mapped_file.h"
#include "util/reserved_memory.h"

namespace pensieve::model {
namespace {

constexpr std::size_t kAlignment = 64;

class QuantizedFile final : public ModelFile {
 public:
  static Result<std::unique_ptr<ModelFile>> make(std::unique_ptr<ModelFile> file, QuantizationPlan plan) {
    auto made = std::make_unique<QuantizedFile>();
    std::size_t bytes = 0;
    std::vector<std::size_t> places;
    for (const TensorToWrite& target : plan.tensors) {
      const TensorInfo& tensor = *file->find(target.name);
      made->tensors_.push_back(tensor);
      if (!shrinks(tensor, target)) continue;
      made->changed_.push_back({made->tensors_.size() - 1, &tensor});
      places.push_back(bytes);
      bytes += (static_cast<std::size_t>(target.bytes()) + kAlignment - 1) / kAlignment * kAlignment;
      TensorInfo& info = made->tensors_.back();
      info.codec = target.codec;
      info.type_name = target.codec->name;
      info.parts.clear();
    }
    Result<util::ReservedMemory> memory = util::ReservedMemory::reserve(bytes);
    if (!memory) return tl::unexpected(std::move(memory.error()));
    made->memory_ = std::move(*memory);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::size_t index = made->changed_[i].index;
      made->changed_[i].bytes =
          made->memory_.bytes().subspan(places[i], static_cast<std::size_t>(plan.tensors[index].bytes()));
      made->tensors_[index].bytes = made->changed_[i].bytes;
    }
    for (std::size_t i = 0; i < made->tensors_.size(); ++i) made->index_.emplace(made->tensors_[i].name, i);
    made->file_ = std::move(file);
    return std::unique_ptr<ModelFile>(std::move(made));
  }

  const FileReport& report() const override { return file_->report(); }
  const Metadata& metadata() const override { return file_->metadata(); }
  std::span<const TensorInfo> tensors() const override { return tensors_; }
  const TensorInfo* find(std::string_view tensor) const override {
    const auto found = index_.find(tensor);
    return found == index_.end() ? nullptr : &tensors_[found->second];
  }
  std::uint64_t file_bytes() const override { return file_->file_bytes(); }
  Result<> materialise(int threads) override {
    if (Result<> made = file_->materialise(threads); !made) return made;
    for (const Changed& changed : std::exchange(changed_, {})) {
      convert_tensor(*changed.from, *tensors_[changed.index].codec, changed.bytes, threads);
      util::release_mapped(changed.from->bytes);  // read once and no more
      for (const std::span<const std::byte> part : changed.from->parts) util::release_mapped(part);
    }
    return {};
  }

 private:
  struct Changed {
    std::size_t index = 0;             // in tensors_
    const TensorInfo* from = nullptr;  // of file_
    std::span<std::byte> bytes = {};
  };

  static bool shrinks(const TensorInfo& tensor, const TensorToWrite& target) {
    const auto columns = static_cast<std::size_t>(tensor.shape.empty() ? 0 : tensor.shape.back());
    return target.codec != tensor.codec &&
           target.codec->row_bytes(columns) < tensor.codec->row_bytes(columns);
  }

  std::unique_ptr<ModelFile> file_;
  util::ReservedMemory memory_;
  std::vector<TensorInfo> tensors_;
  std::vector<Changed> changed_;
  std::unordered_map<std::string_view, std::size_t> index_;  // views of tensors_' names
};

}  // namespace

Result<std::unique_ptr<ModelFile>> quantized_file(std::unique_ptr<ModelFile> file, std::string_view type) {
  Result<QuantizationPlan> plan = plan_quantization(*file, type);
  if (!plan) return tl::unexpected(std::move(plan.error()));
  return QuantizedFile::make(std::move(file), std::move(*plan));
}

}  // namespace pensieve::model
