// Bodies of Ollama's API to a Call: /api/generate and /api/chat, and the durations and names that all its
// bodies share. Checks everything that can be checked without the model.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/chat.h"
#include "server/dialects/generation_fields.h"

namespace pensieve::server {

struct OllamaCall {
  Call call;                // streams unless told otherwise
  bool load_only = false;   // nothing is asked: the model is only loaded, or unloaded with keep_alive 0
  bool must_think = false;  // refused where the model cannot
  std::optional<std::int64_t> context;  // num_ctx: most tokens of prompt and answer
};

Result<OllamaCall> read_ollama_generate(const Json& body);
Result<OllamaCall> read_ollama_chat(const Json& body);
Result<std::vector<ChatMessage>> read_ollama_messages(const Json& list);

// "model", or "name" as older clients say it; an error where both are missing.
Result<std::string> read_ollama_model(const Json& body);

struct OllamaEmbedding {
  std::string model;
  std::vector<std::string> inputs;
  bool truncate = false;
  std::optional<std::int64_t> dimensions;
  std::optional<std::chrono::seconds> keep_alive;
};
// /api/embed ("input": a text or a list) and the older /api/embeddings ("prompt": a text).
Result<OllamaEmbedding> read_ollama_embed(const Json& body);
Result<OllamaEmbedding> read_ollama_embeddings(const Json& body);

}  // namespace pensieve::server
