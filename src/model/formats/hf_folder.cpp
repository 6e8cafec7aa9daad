// Which files there are, in which order they are read, and what each contributes.
#include "model/formats/hf_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <unordered_map>
#include <utility>

#include "model/architecture.h"
#include "model/formats/findings.h"
#include "model/formats/hf_config.h"
#include "model/formats/hf_tensors.h"
#include "model/formats/python_json.h"
#include "model/formats/safetensors.h"
#include "model/model_name.h"
#include "model/tokenizer/tokenizer_json.h"
#include "util/json.h"
#include "util/mapped_file.h"

namespace pensieve::model {
namespace {

namespace fs = std::filesystem;
using util::Json;

constexpr std::size_t kLargestText = std::size_t{64} << 20;  // of a JSON file or template
constexpr std::size_t kMostShards = 4096;

// Owns what its tensors point into. Thread rule: immutable.
class HfFolder final : public ModelFile {
 public:
  const FileReport& report() const override { return report_; }
  const Metadata& metadata() const override { return metadata_; }
  std::span<const TensorInfo> tensors() const override { return tensors_; }
  const TensorInfo* find(std::string_view tensor) const override {
    const auto found = index_.find(tensor);
    return found == index_.end() ? nullptr : &tensors_[found->second];
  }
  std::uint64_t file_bytes() const override { return bytes_; }
  Result<> materialise(int threads) override {
    rearranged_->materialise(threads);
    return {};
  }

 private:
  friend class FolderReader;
  FileReport report_;
  Metadata metadata_;
  std::vector<util::MappedFile> files_;
  std::unique_ptr<HfTensors> rearranged_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string_view, std::size_t> index_;
  std::uint64_t bytes_ = 0;
};

tl::unexpected<Error> invalid(const std::string& what) {
  return fail(Error::Code::invalid, what, {}, "model_invalid");
}

class FolderReader {
 public:
  explicit FolderReader(std::string path) : path_(std::move(path)), folder_(std::make_unique<HfFolder>()) {}

  Result<std::unique_ptr<ModelFile>> run() {
    for (const auto step :
         {&FolderReader::read_config, &FolderReader::read_companions, &FolderReader::read_tensors}) {
      if (Result<> done = (this->*step)(); !done) return tl::unexpected(std::move(done.error()));
    }
    std::move(findings_).write(folder_->report_);
    return std::unique_ptr<ModelFile>(std::move(folder_));
  }

 private:
  bool has(const char* name) const {
    std::error_code ignored;
    return fs::is_regular_file(fs::path(path_) / name, ignored);
  }

  Result<util::MappedFile> map(const std::string& name) const {
    return util::MappedFile::open((fs::path(path_) / name).string());
  }

  Result<std::string> text(const std::string& name) const {
    const Result<util::MappedFile> file = map(name);
    if (!file) return tl::unexpected(file.error());
    if (file->bytes().size() > kLargestText)
      return invalid(
          fmt::format("{} has {} bytes; {} are possible", name, file->bytes().size(), kLargestText));
    return std::string(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  }

  Result<Json> json(const std::string& name) const {
    const Result<std::string> source = text(name);
    if (!source) return tl::unexpected(source.error());
    Result<Json> parsed = util::parse_json(without_infinity(*source));
    if (!parsed) return invalid(fmt::format("{}: {}", name, parsed.error().what));
    if (!parsed->is_object()) return invalid(fmt::format("{} is no JSON object", name));
    return parsed;
  }

  Result<const Architecture*> architecture_of(const Json& config) const {
    const auto listed = config.find("architectures");
    if (listed == config.end() || !listed->is_array() || listed->empty() || !listed->front().is_string())
      return invalid("config.json does not say which architecture the model has (architectures)");
    const std::string name = listed->front().get<std::string>();
    std::vector<std::string_view> known;
    for (const Architecture* architecture : architectures()) {
      for (const std::string_view hf : architecture->hf_names) {
        if (hf == name) return architecture;
        known.push_back(hf);
      }
    }
    std::sort(known.begin(), known.end());
    return fail(Error::Code::unsupported,
                fmt::format("the architecture {} is not supported; the nearest is {}, supported are: {}",
                            printable(name), nearest_of(name, known), fmt::join(known, ", ")),
                {}, "model_unsupported");
  }

  Result<> read_config() {
    const Result<Json> config = json("config.json");
    if (!config) return tl::unexpected(config.error());
    const Result<const Architecture*> found = architecture_of(*config);
    if (!found) return tl::unexpected(found.error());
    architecture_ = *found;
    if (Result<> known = read_quantization(*config); !known) return known;
    Metadata& metadata = folder_->metadata_;
    const std::string name(architecture_->gguf_name);
    metadata.set("general.architecture", name);
    metadata.set("general.name", fs::path(path_).filename().string());
    Result<HfRopeFactors> factors = add_hf_config(*config, name, architecture_->hf.halves, metadata);
    if (!factors) return tl::unexpected(std::move(factors.error()));
    factors_ = std::move(*factors);
    if (architecture_->hf.bidirectional) metadata.set(name + ".attention.causal", false);
    const std::string claimed = (*config)["architectures"].front().get<std::string>();
    if (claimed.find("Roberta") != std::string::npos) {
      const auto padding = config->find("pad_token_id");
      const bool stated = padding != config->end() && padding->is_number_unsigned() && *padding < 1024U;
      padding_rows_ = (stated ? padding->get<std::int64_t>() : 1) + 1;
      const std::string key = name + ".context_length";
      const auto rows = metadata.integer(key);
      if (rows && rows->value_or(0) > padding_rows_) metadata.set(key, **rows - padding_rows_);
    }
    if (claimed.ends_with("ForSequenceClassification")) metadata.set(name + ".pooling_type", std::int64_t{4});
    folder_->report_.format = "safetensors";
    return {};
  }

  Result<> read_quantization(const Json& config) {
    const auto found = config.find("quantization_config");
    if (found == config.end() || !found->is_object()) return {};
    const Result<std::optional<Packing>> packing = packing_of(*found);
    if (!packing) return tl::unexpected(packing.error());
    packing_ = *packing;
    return {};
  }

  Result<> read_companions() {
    Metadata& metadata = folder_->metadata_;
    if (!has("tokenizer.json")) return invalid("the folder has no tokenizer.json");
    const Result<std::string> tokenizer = text("tokenizer.json");
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    const Result<std::string> configuration =
        has("tokenizer_config.json") ? text("tokenizer_config.json") : Result<std::string>("");
    if (!configuration) return tl::unexpected(configuration.error());
    if (Result<> added = add_tokenizer_json(*tokenizer, *configuration, metadata); !added) return added;
    if (has("chat_template.jinja")) {
      Result<std::string> source = text("chat_template.jinja");
      if (!source) return tl::unexpected(source.error());
      metadata.set("tokenizer.chat_template", std::move(*source));
    }
    if (has("generation_config.json")) {
      if (const Result<Json> generation = json("generation_config.json"))
        add_hf_generation(*generation, metadata);
    }
    add_licence();
    if (!has("modules.json") || !has("1_Pooling/config.json")) return {};
    const Result<Json> pooling = json("1_Pooling/config.json");
    if (!pooling) return tl::unexpected(pooling.error());
    return add_hf_pooling(*pooling, std::string(architecture_->gguf_name), metadata);
  }

  // What the model card says in its front matter: lines between two of "---".
  void add_licence() {
    const Result<std::string> card = has("README.md") ? text("README.md") : Result<std::string>("");
    if (!card || !card->starts_with("---\n")) return;
    const std::string front = card->substr(0, card->find("\n---", 3));
    constexpr std::string_view kKey = "\nlicense:";
    const std::size_t at = front.find(kKey);
    if (at == std::string::npos) return;
    std::string licence = front.substr(at + kKey.size(), front.find('\n', at + 1) - at - kKey.size());
    licence.erase(0, licence.find_first_not_of(" \t\"'"));
    licence.erase(licence.find_last_not_of(" \t\"'\r") + 1);
    if (!licence.empty()) folder_->metadata_.set("general.license", licence);
  }

  // The files that hold tensors, and for each tensor of an index the file it must be in.
  Result<std::set<std::string>> shards() {
    if (!has("model.safetensors.index.json")) {
      if (!has("model.safetensors"))
        return invalid("the folder has neither model.safetensors nor model.safetensors.index.json");
      return std::set<std::string>{"model.safetensors"};
    }
    const Result<Json> index = json("model.safetensors.index.json");
    if (!index) return tl::unexpected(index.error());
    const auto map = index->find("weight_map");
    if (map == index->end() || !map->is_object())
      return invalid("model.safetensors.index.json has no weight_map");
    std::set<std::string> names;
    for (const auto& item : map->items()) {
      const std::string name = item.value().is_string() ? item.value().get<std::string>() : "";
      const bool plain = !name.empty() && name.front() != '.' &&
                         name.find_first_of("/\\") == std::string::npos &&
                         name.find('\0') == std::string::npos;
      if (!plain || !name.ends_with(".safetensors")) {
        return invalid(
            fmt::format("model.safetensors.index.json: tensor {} is in {}, which is no file of the folder",
                        printable(item.key()), printable(util::to_json(item.value()))));
      }
      expected_.emplace(item.key(), name);
      names.insert(name);
    }
    if (names.size() > kMostShards) return invalid(fmt::format("{} files of tensors", names.size()));
    return names;
  }

  Result<> read_shard(const std::string& name) {
    Result<util::MappedFile> file = map(name);
    if (!file) return invalid(fmt::format("{}: {}", printable(name), file.error().what));
    const Result<std::vector<SafeTensor>> tensors = parse_safetensors(file->bytes());
    if (!tensors) return invalid(fmt::format("{}: {}", printable(name), tensors.error().what));
    for (const SafeTensor& tensor : *tensors) {
      if (!seen_.insert(tensor.name).second) {
        findings_.problem(fmt::format("tensor {} is there twice", printable(tensor.name)));
        continue;
      }
      if (const auto wanted = expected_.find(tensor.name); !expected_.empty()) {
        if (wanted == expected_.end() || wanted->second != name)
          findings_.problem(fmt::format("tensor {} is in {}, but the index says otherwise",
                                        printable(tensor.name), printable(name)));
      }
      folder_->rearranged_->add(tensor);
    }
    folder_->bytes_ += file->bytes().size();
    folder_->files_.push_back(std::move(*file));
    return {};
  }

  Result<> read_tensors() {
    const Metadata& metadata = folder_->metadata_;
    const std::string name(architecture_->gguf_name);
    const auto number = [&](const char* key) {
      const auto found = metadata.integer(fmt::format("{}.{}", name, key));
      return found ? std::clamp<std::int64_t>(found->value_or(0), 0, 1 << 24) : 0;
    };
    HfShape shape{number("attention.head_count"), number("attention.head_count_kv"),
                  number("attention.key_length")};
    shape.padding_rows = padding_rows_;
    if (shape.kv_heads == 0) shape.kv_heads = shape.heads;
    if (shape.head_width == 0 && shape.heads > 0) shape.head_width = number("embedding_length") / shape.heads;
    folder_->rearranged_ = std::make_unique<HfTensors>(architecture_->hf, shape, packing_);
    const Result<std::set<std::string>> names = shards();
    if (!names) return tl::unexpected(names.error());
    for (const std::string& shard : *names) {
      if (Result<> read = read_shard(shard); !read) return read;
    }
    for (const auto& [tensor, file] : expected_) {
      if (seen_.count(tensor) == 0)
        findings_.problem(fmt::format("tensor {} is missing from {}", printable(tensor), printable(file)));
    }
    for (const auto& [called, values] : {std::pair{"rope_freqs.weight", &factors_.all},
                                         {"rope_factors_short.weight", &factors_.in_short},
                                         {"rope_factors_long.weight", &factors_.in_long}}) {
      if (!values->empty()) folder_->rearranged_->add_vector(called, *values);
    }
    std::vector<std::string> problems;
    folder_->tensors_ = folder_->rearranged_->finish(problems);
    for (std::string& problem : problems) findings_.problem(std::move(problem));
    for (std::size_t i = 0; i < folder_->tensors_.size(); ++i) {
      if (!folder_->index_.emplace(folder_->tensors_[i].name, i).second)
        findings_.problem(fmt::format("two tensors stand for {}", folder_->tensors_[i].name));
    }
    return {};
  }

  std::string path_;
  std::unique_ptr<HfFolder> folder_;
  const Architecture* architecture_ = nullptr;
  HfRopeFactors factors_;
  std::optional<Packing> packing_;
  std::int64_t padding_rows_ = 0;
  std::map<std::string, std::string> expected_;  // tensor to file, of the index
  std::set<std::string> seen_;
  Findings findings_;
};

}  // namespace

bool is_hf_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(fs::path(path) / "config.json", ignored);
}

Result<std::unique_ptr<ModelFile>> open_hf_folder(const std::string& path) {
  return FolderReader(path).run();
}

}  // namespace pensieve::model
