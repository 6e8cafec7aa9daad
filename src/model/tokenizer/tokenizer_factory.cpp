// Dispatch on the tokenizer family. Not the place for anything that one family alone needs.
#include "model/tokenizer/tokenizer_factory.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "model/tokenizer/bpe_tokenizer.h"
#include "model/tokenizer/sentence_bpe.h"
#include "model/tokenizer/unigram.h"
#include "model/tokenizer/vocabulary.h"
#include "model/tokenizer/word_piece.h"

namespace pensieve::model {
namespace {

struct Family {
  std::string_view name;  // the value of tokenizer.ggml.model
  Result<std::unique_ptr<Tokenizer>> (*make)(const Metadata&);
};

constexpr std::array kFamilies{Family{"gpt2", &make_bpe_tokenizer}, Family{"llama", &make_sentence_bpe},
                               Family{"bert", &make_word_piece}, Family{"t5", &make_unigram}};

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_tokenizer(const Metadata& metadata) {
  const auto name = metadata.text("tokenizer.ggml.model");
  if (!name) return tl::unexpected(name.error());
  if (!*name) {
    return fail(Error::Code::invalid,
                "the model file has no tokenizer: key tokenizer.ggml.model is absent; convert the model "
                "again with its "
                "tokenizer files beside it");
  }
  std::string known;
  for (const Family& family : kFamilies) {
    if (family.name == **name) return family.make(metadata);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", family.name);
  }
  return fail(Error::Code::unsupported,
              fmt::format("tokenizer.ggml.model is {}: this build has no such tokenizer "
                          "(it has: {})",
                          quoted(**name), known));
}

std::vector<std::string> tokenizer_warnings(const Metadata& metadata) {
  std::vector<std::string> warnings;
  const auto family = metadata.text("tokenizer.ggml.model");
  const auto rules = metadata.text("tokenizer.ggml.pre");
  const bool unnamed = rules && (!*rules || (*rules)->empty());
  if (family && *family == "gpt2" && unnamed) {
    warnings.emplace_back(
        "tokenizer.ggml.pre is absent: text is cut by the default rules, which may not be those the model "
        "was "
        "trained with; convert the model again with a current converter");
  }
  return warnings;
}

}  // namespace pensieve::model
