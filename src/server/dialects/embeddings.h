// Embeddings in OpenAI's form: the body to a request of the model, and its vectors to the reply.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/inference.h"
#include "server/dialects/fields.h"

namespace pensieve::server {

struct EmbeddingsCall {
  std::string model;  // empty: the server's only one
  EmbeddingRequest request;
  bool base64 = false;
  std::optional<std::int64_t> dimensions;  // cut to this many, of length 1 again
  std::vector<std::string> unknown;        // fields ignored, for the log
};

Result<EmbeddingsCall> read_embeddings_call(const Json& body);
// How many inputs one request may have; every API's.
Result<> check_input_count(std::size_t count);
// Refuses token ids that the model does not have, and more dimensions than it makes (where that is known).
Result<> fit_embeddings(const ModelInfo& info, const EmbeddingsCall& call);
// The first `dimensions` numbers of each vector, normalised; an error when a vector has fewer.
Result<> cut_vectors(std::int64_t dimensions, std::vector<std::vector<float>>& vectors);
std::string embeddings_text(const Embeddings& made, const EmbeddingsCall& call, std::string_view model);

// As a JSON list of finite numbers.
void append_vector(const std::vector<float>& vector, std::string& out);

// RFC 4648 over the numbers as little-endian 32-bit floats.
std::string base64_floats(const std::vector<float>& numbers);

}  // namespace pensieve::server
