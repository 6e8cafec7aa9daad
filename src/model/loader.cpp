// load and inspect: the order in which a model file becomes a LoadedModel, and where each refusal is made.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <thread>
#include <utility>

#include "model/architecture.h"
#include "model/describe.h"
#include "model/formats/checked_math.h"
#include "model/formats/findings.h"
#include "model/loaded_model.h"
#include "model/model_name.h"
#include "model/quantized_file.h"
#include "model/tokenizer/tokenizer_factory.h"
#include "model/weight_binding.h"

namespace pensieve::model {
namespace {

class NamesInFile final : public TensorNames {
 public:
  explicit NamesInFile(const ModelFile& file) : file_(file) {}
  bool contains(std::string_view name) const override { return file_.find(name) != nullptr; }
  std::int64_t elements(std::string_view name) const override {
    const TensorInfo* tensor = file_.find(name);
    return tensor == nullptr ? 0 : element_count(tensor->shape);
  }

 private:
  const ModelFile& file_;
};

Result<const Architecture*> architecture_of(const ModelFile& file) {
  Result<std::optional<std::string>> name = file.metadata().text("general.architecture");
  if (!name) return tl::unexpected(std::move(name).error());
  if (!name->has_value()) {
    return fail(Error::Code::invalid,
                "the metadata does not say what architecture the model has (general.architecture)", {},
                "model_invalid");
  }
  if (const Architecture* found = find_architecture(**name)) return found;
  std::vector<std::string_view> known;
  for (const Architecture* architecture : architectures()) known.push_back(architecture->gguf_name);
  return fail(Error::Code::unsupported,
              fmt::format("the architecture {} is not supported; the nearest is {}, supported are: {}",
                          printable(**name), nearest_of(**name, known), fmt::join(known, ", ")),
              {}, "model_unsupported");
}

Result<Graph> build_graph(const ModelFile& file, std::int64_t context) {
  Result<const Architecture*> architecture = architecture_of(file);
  if (!architecture) return tl::unexpected(std::move(architecture).error());
  if (file.tensors().empty()) {
    return fail(Error::Code::unsupported,
                "the file holds a vocabulary but no weights; it can be used to tokenize only", {},
                "model_unsupported");
  }
  const NamesInFile names(file);
  return (*architecture)->build({file.metadata(), names, context});
}

// The graph, once it is sure that the file has all its weights.
Result<Graph> checked_graph(const ModelFile& file, std::int64_t context) {
  Result<Graph> graph = build_graph(file, context);
  if (!graph) return graph;
  if (Result<> sound = check_weights(*graph, file); !sound) return tl::unexpected(std::move(sound).error());
  return graph;
}

Result<LoadedModel> load_file(std::unique_ptr<ModelFile> file, const std::string& path, Backend& backend,
                              std::int64_t context) {
  LoadedModel model;
  Result<Graph> graph = checked_graph(*file, context);
  if (!graph) return tl::unexpected(std::move(graph).error());
  Result<std::unique_ptr<Tokenizer>> tokenizer = load_tokenizer(*file);
  if (!tokenizer) return tl::unexpected(std::move(tokenizer).error());
  if ((*tokenizer)->vocabulary() > graph->vocabulary) {
    return fail(Error::Code::invalid,
                fmt::format("the tokenizer has {} tokens, but the model only {}", (*tokenizer)->vocabulary(),
                            graph->vocabulary),
                {}, "model_invalid");
  }
  Result<std::unique_ptr<ChatFormat>> chat_format = load_chat_format(*file, **tokenizer);
  if (!chat_format) return tl::unexpected(std::move(chat_format).error());
  Result<BoundWeights> bound = bind_weights(*graph, *file, backend);
  if (!bound) return tl::unexpected(std::move(bound).error());

  model.info = describe(*file, path);
  model.file = std::move(file);
  model.tokenizer = std::move(*tokenizer);
  model.chat_format = std::move(*chat_format);
  model.reply_format = load_reply_format(*model.file, *model.tokenizer);
  model.graph = std::move(*graph);
  model.buffers = std::move(bound->buffers);
  model.weights = std::move(bound->weights);
  return model;
}

}  // namespace

Result<LoadedModel> load(const std::string& path, Backend& backend, std::int64_t context,
                         const std::string& quantize) {
  Result<std::unique_ptr<ModelFile>> file = open_model_file(path);
  if (file && !quantize.empty()) file = quantized_file(std::move(*file), quantize);
  if (!file) return tl::unexpected(std::move(file).error());
  Result<LoadedModel> model = load_file(std::move(*file), path, backend, context);
  if (!model) {
    Error error = std::move(model).error();
    error.what = std::filesystem::path(path).filename().string() + ": " + error.what;
    return tl::unexpected(std::move(error));
  }
  return model;
}

int load_threads(std::int64_t wanted) {
  constexpr std::int64_t kMost = 256;
  const std::int64_t usable = wanted > 0 ? wanted : std::thread::hardware_concurrency();
  return static_cast<int>(std::clamp<std::int64_t>(usable, 1, kMost));
}

Result<> check_loadable(const ModelFile& file) {
  const std::vector<std::string>& problems = file.report().problems;
  if (!problems.empty()) return fail(Error::Code::invalid, problems.front(), {}, "model_invalid");
  Result<Graph> graph = checked_graph(file, 0);
  if (!graph) return tl::unexpected(std::move(graph).error());
  return {};
}

std::vector<std::string> warnings_of(const ModelFile& file) {
  std::vector<std::string> warnings = file.report().warnings;
  for (std::string& warning : tokenizer_warnings(file.metadata())) warnings.push_back(std::move(warning));
  return warnings;
}

Result<ModelInfo> inspect(const std::string& path) {
  Result<std::unique_ptr<ModelFile>> file = examine_model_file(path);
  if (!file) return tl::unexpected(std::move(file).error());
  return describe(**file, path);
}

}  // namespace pensieve::model
