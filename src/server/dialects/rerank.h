// Reranking in the forms of Jina and Cohere (documents) and of Hugging Face's text-embeddings-inference
// (texts): the body to pairs for the model, and its scores to the reply.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/inference.h"
#include "server/dialects/fields.h"

namespace pensieve::server {

struct RerankCall {
  std::string model;  // empty: the server's only one
  std::string query;
  std::vector<std::string> documents;
  std::optional<std::int64_t> top;  // only the best
  bool return_documents = false;
  bool raw_scores = false;  // logits; else between 0 and 1
  bool truncate = false;
  bool texts = false;                // the reply is a list, as text-embeddings-inference gives it
  std::vector<std::string> unknown;  // fields ignored, for the log
};

Result<RerankCall> read_rerank_call(const Json& body);
EmbeddingRequest rerank_request(const RerankCall& call, std::string request_id);
// Best first, of equal ones the earlier. `made` holds one score for each document.
std::string rerank_text(const Embeddings& made, const RerankCall& call, std::string_view model,
                        std::string_view id);

}  // namespace pensieve::server
