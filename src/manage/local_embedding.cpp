// LocalInference's embeddings: texts become ids on the text thread, ids become vectors on a thread of their
// own.
#include <fmt/format.h>

#include <cstdint>
#include <optional>

#include "engine/pooling.h"
#include "manage/guarded.h"
#include "manage/local_inference.h"

namespace pensieve::manage {
namespace {

// Cut to `context`; a closing control token (BERT's separator, an end token that is pooled) stays the last
// one.
void truncate(const Tokenizer& tokenizer, std::size_t context, std::vector<std::int32_t>& tokens) {
  const std::int32_t last = tokens.back();
  tokens.resize(context);
  if (tokenizer.is_control(last)) tokens.back() = last;
}

Error closing() {
  return Error{Error::Code::unavailable, "the model is being unloaded; try again", "", ""};
}

}  // namespace

Result<EncodedTexts> LocalInference::embedding_tokens(const EmbeddingRequest& request) const {
  const Tokenizer& tokenizer = *model_.tokenizer;
  const auto context = static_cast<std::size_t>(embedder_->context());
  EncodedTexts texts;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    std::vector<std::int32_t> tokens;
    std::optional<std::int64_t> second;
    const auto* pair = std::get_if<TextPair>(&request.inputs[i]);
    if ((pair != nullptr) != (pairs_ != nullptr)) {
      return fail(
          Error::Code::unsupported,
          pair != nullptr
              ? fmt::format("model '{}' does not rank texts; name a reranking model", model_.info.name)
              : fmt::format("model '{}' ranks texts and makes no embeddings; use /v1/rerank",
                            model_.info.name),
          "model");
    }
    if (pair != nullptr) {
      EncodedPair encoded = pairs_->encode(*pair, request.truncate ? context : SIZE_MAX);
      tokens = std::move(encoded.tokens);
      second = encoded.second;
    } else if (const auto* text = std::get_if<std::string>(&request.inputs[i])) {
      tokenizer.encode(*text, {.add_special = true, .parse_special = false}, tokens);
    } else {
      tokens = std::get<std::vector<std::int32_t>>(request.inputs[i]);
    }
    for (const std::int32_t token : tokens) {
      if (token >= 0 && token < model_.graph.vocabulary) continue;
      return fail(Error::Code::invalid,
                  fmt::format("input {} has token id {}, but ids of model '{}' go from 0 to {}", i, token,
                              model_.info.name, model_.graph.vocabulary - 1),
                  "input");
    }
    if (tokens.empty())
      return fail(Error::Code::invalid, fmt::format("input {} is empty; send some text", i), "input");
    if (tokens.size() > context && (!request.truncate || second)) {
      return fail(Error::Code::invalid,
                  fmt::format("input {} has {} tokens, more than the context of {}; shorten it{}", i,
                              tokens.size(), context, request.truncate ? "" : " or set truncate"),
                  second ? "documents" : "input", "context_length_exceeded");
    }
    if (tokens.size() > context) truncate(tokenizer, context, tokens);
    texts.tokens.push_back(std::move(tokens));
    if (second) texts.seconds.push_back(*second);
  }
  return texts;
}

Result<Embeddings> LocalInference::run_embedder(const EncodedTexts& texts) {
  Result<std::vector<std::vector<float>>> vectors = embedder_->embed(texts.tokens, texts.seconds);
  if (!vectors) return tl::unexpected(std::move(vectors.error()));
  Embeddings embeddings{std::move(*vectors), 0};
  for (std::vector<float>& vector : embeddings.vectors) {
    if (pairs_ != nullptr) {
      vector = {pairs_->score(vector)};
    } else {
      engine::normalise(vector);
    }
  }
  for (const std::vector<std::int32_t>& text : texts.tokens)
    embeddings.prompt_tokens += static_cast<std::int64_t>(text.size());
  embedded_tokens_.fetch_add(static_cast<std::uint64_t>(embeddings.prompt_tokens), std::memory_order_relaxed);
  embedded_.fetch_add(1, std::memory_order_relaxed);
  return embeddings;
}

void LocalInference::embed(EmbeddingRequest request, Done<Embeddings> done) {
  if (embedder_ == nullptr) {
    done(fail(Error::Code::unsupported,
              fmt::format("model '{}' makes no embeddings; name an embedding model", model_.info.name),
              "model"));
    return;
  }
  if (const Result<> room = room_for_text(); !room) return done(tl::unexpected(room.error()));
  if (embedding_->backlog() >= most_texts_) {
    return done(fail(Error::Code::exhausted, fmt::format("{} requests wait for embeddings already; try again",
                                                         embedding_->backlog())));
  }
  text_->post([this, request = std::move(request), done = std::move(done)](bool abandoned) {
    if (abandoned) return done(tl::unexpected(closing()));
    auto texts = guarded("reading the texts of a request", [&] { return embedding_tokens(request); });
    if (!texts) return done(tl::unexpected(std::move(texts.error())));
    embedding_->post([this, texts = std::move(*texts), done](bool too_late) {
      if (too_late) return done(tl::unexpected(closing()));
      done(guarded("making embeddings", [&] { return run_embedder(texts); }));
    });
  });
}

}  // namespace pensieve::manage
