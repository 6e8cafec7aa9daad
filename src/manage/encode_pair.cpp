// Layouts of pairs. Sources: the pair templates of Hugging Face tokenizers; the model card of Qwen3-Reranker.
#include "manage/encode_pair.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace pensieve::manage {
namespace {

constexpr std::string_view kQuery = "{query}", kDocument = "{document}";
constexpr std::string_view kQwen3 =
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the "
    "Instruct "
    "provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n<Instruct>: "
    "Given a web search query, retrieve relevant passages that answer the query\n<Query>: {query}\n"
    "<Document>: {document}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

// What the template says is parsed for control tokens, what is put into it never.
Prompt filled(std::string_view words, std::string_view query, std::string_view document) {
  Prompt prompt;
  const auto add = [&](std::string_view text, bool own) {
    if (!text.empty()) prompt.pieces.push_back({std::string(text), own});
  };
  while (!words.empty()) {
    const std::size_t at = std::min(words.find(kQuery), words.find(kDocument));
    if (at == std::string_view::npos) break;
    add(words.substr(0, at), true);
    const bool query_next = words.substr(at).starts_with(kQuery);
    add(query_next ? query : document, false);
    words.remove_prefix(at + (query_next ? kQuery : kDocument).size());
  }
  add(words, true);
  return prompt;
}

}  // namespace

Result<PairEncoder> PairEncoder::make(const model::LoadedModel& model, const ControlTokens& controls) {
  PairEncoder encoder(*model.tokenizer, controls);
  if (Result<> chosen = encoder.choose_class(model); !chosen)
    return tl::unexpected(std::move(chosen.error()));
  if (Result<> chosen = encoder.choose_words(model); !chosen)
    return tl::unexpected(std::move(chosen.error()));
  return encoder;
}

Result<> PairEncoder::choose_class(const model::LoadedModel& model) {
  const std::int64_t classes = model.graph.output_width();
  if (classes == 1) return {};
  const auto* labels =
      model.file->metadata().texts(fmt::format("{}.classifier.output_labels", model.info.architecture));
  if (labels != nullptr && static_cast<std::int64_t>(labels->size()) == classes) {
    const auto yes = std::find(labels->begin(), labels->end(), "yes");
    if (yes != labels->end()) {
      class_ = static_cast<std::size_t>(yes - labels->begin());
      return {};
    }
  }
  return fail(
      Error::Code::unsupported,
      fmt::format("model '{}' sorts texts into {} classes, none of which is named 'yes': it has no score "
                  "to rank by; use a model with one class",
                  model.info.name, classes),
      "model", "model_unsupported");
}

Result<> PairEncoder::choose_words(const model::LoadedModel& model) {
  const Metadata& metadata = model.file->metadata();
  Result<std::optional<std::string>> named = metadata.text("tokenizer.chat_template.rerank");
  if (!named) return tl::unexpected(std::move(named.error()));
  if (*named) {
    words_ = std::move(**named);
  } else if (model.info.architecture == "qwen3") {
    words_ = kQwen3;
  } else if (model.graph.pooling == Pooling::rank_last) {
    return fail(Error::Code::unsupported,
                fmt::format("model '{}' ranks, but does not say how it wants to be asked "
                            "(tokenizer.chat_template.rerank)",
                            model.info.name),
                "model", "model_unsupported");
  }
  if (words_.empty() ||
      (words_.find(kQuery) != std::string::npos && words_.find(kDocument) != std::string::npos))
    return {};
  return fail(Error::Code::unsupported,
              "tokenizer.chat_template.rerank does not name both {query} and {document}", "model",
              "model_unsupported");
}

EncodedPair PairEncoder::between_tokens(const TextPair& pair, std::size_t longest) const {
  const PairFrame frame = tokenizer_->pair_frame();
  constexpr EncodeOptions kPlain{.add_special = false, .parse_special = false};
  EncodedPair encoded{frame.opening, 0};
  tokenizer_->encode(pair.first, kPlain, encoded.tokens);
  encoded.tokens.insert(encoded.tokens.end(), frame.between.begin(), frame.between.end());
  encoded.second = static_cast<std::int64_t>(encoded.tokens.size());
  tokenizer_->encode(pair.second, kPlain, encoded.tokens);
  const std::size_t room = longest - std::min(longest, frame.closing.size());
  const std::size_t least = static_cast<std::size_t>(encoded.second) + 1;
  if (encoded.tokens.size() > room && room >= least) encoded.tokens.resize(room);
  encoded.tokens.insert(encoded.tokens.end(), frame.closing.begin(), frame.closing.end());
  return encoded;
}

std::vector<std::int32_t> PairEncoder::asked(std::string_view query, std::string_view document) const {
  return encode_prompt(*tokenizer_, *controls_, filled(words_, query, document));
}

EncodedPair PairEncoder::encode(const TextPair& pair, std::size_t longest) const {
  if (words_.empty()) return between_tokens(pair, longest);
  EncodedPair encoded{asked(pair.first, pair.second), 0};
  if (encoded.tokens.size() > longest) {
    // Words cut apart are other tokens, so what is kept is text again, shorter until it fits.
    std::vector<std::int32_t> document;
    tokenizer_->encode(pair.second, {.add_special = false, .parse_special = false}, document);
    while (encoded.tokens.size() > longest && document.size() > 1) {
      const std::size_t excess = encoded.tokens.size() - longest;
      document.resize(document.size() - std::min(excess, document.size() - 1));
      encoded.tokens = asked(pair.first, tokenizer_->decode(document, true));
    }
  }
  encoded.second = static_cast<std::int64_t>(encoded.tokens.size());
  return encoded;
}

float PairEncoder::score(std::span<const float> results) const {
  if (results.size() == 1) return results.front();
  // Softmax as a logit: of this class against all others.
  const float most = *std::max_element(results.begin(), results.end());
  double others = 0.0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (i != class_) others += std::exp(static_cast<double>(results[i]) - static_cast<double>(most));
  }
  return static_cast<float>(static_cast<double>(results[class_]) - static_cast<double>(most) -
                            std::log(others));
}

}  // namespace pensieve::manage
