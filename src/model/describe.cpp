// Keys of general interest, the codec of most weights, and what a chat template gives away about
// capabilities.
#include "model/describe.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>

#include "model/chat/reply_format.h"
#include "model/formats/gguf_split.h"

namespace pensieve::model {
namespace {

std::string text(const Metadata& metadata, std::string_view key) {
  Result<std::optional<std::string>> found = metadata.text(key);
  return found && found->has_value() ? std::move(**found) : std::string();
}

std::int64_t integer(const Metadata& metadata, const std::string& key) {
  const Result<std::optional<std::int64_t>> found = metadata.integer(key);
  return found ? std::max<std::int64_t>(found->value_or(0), 0) : 0;
}

std::uint64_t element_count(const TensorInfo& tensor) {
  std::uint64_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= static_cast<std::uint64_t>(size);
  return count;
}

void count_weights(const ModelFile& file, ModelInfo& info) {
  std::map<std::string, std::uint64_t> by_type;
  for (const TensorInfo& tensor : file.tensors()) {
    if (tensor.bytes.empty() && tensor.parts.empty())
      continue;  // a tensor with a problem: its shape says nothing
    info.parameters += element_count(tensor);
    if (tensor.shape.size() > 1) by_type[tensor.type_name] += element_count(tensor);
  }
  const auto most = std::max_element(by_type.begin(), by_type.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != by_type.end()) info.quantization = most->first;
}

bool mentions(const std::string& source, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return source.find(word) != std::string::npos; });
}

void list_capabilities(const ModelFile& file, ModelInfo& info) {
  const Metadata& metadata = file.metadata();
  if (file.tensors().empty()) return;
  const Result<std::optional<bool>> causal = metadata.boolean(info.architecture + ".attention.causal");
  const bool pools = integer(metadata, info.architecture + ".pooling_type") > 0;
  const bool bidirectional = causal && !causal->value_or(true);
  if (pools || bidirectional) {
    const bool ranks = integer(metadata, info.architecture + ".pooling_type") == 4;
    info.capabilities.emplace_back(ranks ? "rerank" : "embedding");
    return;
  }
  info.capabilities.emplace_back("completion");
  // Templates that know no tools get them in a system message (chat/tool_prompt.h).
  if (!info.chat_template.empty()) info.capabilities.emplace_back("tools");
  if (mentions(info.chat_template, {"<think>", "enable_thinking", "reasoning_content"}) ||
      make_reply_format(info.chat_template, {})->thinking({})) {
    info.capabilities.emplace_back("thinking");
  }
  if (metadata.contains("tokenizer.ggml.fim_pre_token_id") ||
      metadata.contains("tokenizer.ggml.prefix_token_id")) {
    info.capabilities.emplace_back("insert");
  }
}

// Values outside what the sampler accepts are left at the default rather than passed on.
template <class T>
void take(const Metadata& metadata, std::string_view key, double low, double high, T& value) {
  const Result<std::optional<double>> found = metadata.real(key);
  if (found && found->has_value() && **found >= low && **found <= high) value = static_cast<T>(**found);
}

// A file that says nothing gets what local servers commonly default to: at temperature 1 over the whole
// vocabulary a small model soon writes noise.
SamplingParams sampling_defaults(const Metadata& metadata) {
  SamplingParams defaults;
  defaults.temperature = 0.8F;
  defaults.top_k = 40;
  defaults.top_p = 0.95F;
  defaults.min_p = 0.05F;
  take(metadata, "general.sampling.temp", 0.0, 100.0, defaults.temperature);
  take(metadata, "general.sampling.top_k", 0.0, 1 << 24, defaults.top_k);
  take(metadata, "general.sampling.top_p", 1e-6, 1.0, defaults.top_p);
  take(metadata, "general.sampling.min_p", 0.0, 1.0, defaults.min_p);
  take(metadata, "general.sampling.penalty_repeat", 1e-3, 100.0, defaults.repeat_penalty);
  take(metadata, "general.sampling.penalty_last_n", -1.0, 1 << 24, defaults.repeat_last_n);
  return defaults;
}

}  // namespace

ModelInfo describe(const ModelFile& file, const std::string& path) {
  const Metadata& metadata = file.metadata();
  ModelInfo info;
  info.path = path;
  std::error_code ignored;
  const std::filesystem::path where(path);
  const bool folder = std::filesystem::is_directory(where, ignored);
  info.name =
      (folder ? (where.has_filename() ? where : where.parent_path()).filename() : where.stem()).string();
  if (const std::optional<SplitName> part = split_name(info.name); part && !folder) info.name = part->stem;
  info.format = file.report().format;
  info.architecture = text(metadata, "general.architecture");
  info.title = text(metadata, "general.name");
  info.file_bytes = file.file_bytes();
  info.trained_context = integer(metadata, info.architecture + ".context_length");
  info.embedding_width = integer(metadata, info.architecture + ".embedding_length");
  info.layers = integer(metadata, info.architecture + ".block_count");
  const std::vector<std::string>* tokens = metadata.texts("tokenizer.ggml.tokens");
  info.vocabulary = tokens != nullptr ? static_cast<std::int64_t>(tokens->size())
                                      : integer(metadata, info.architecture + ".vocab_size");
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) info.created = status.st_mtime;
  info.chat_template = text(metadata, "tokenizer.chat_template");
  info.defaults = sampling_defaults(metadata);
  count_weights(file, info);
  list_capabilities(file, info);
  return info;
}

}  // namespace pensieve::model
