// ModelInfo: what users see of a model, known before it is loaded (effective_context only afterwards).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/sampling.h"

namespace pensieve {

struct ModelInfo {
  std::string name;  // "smollm2:135m" or the file's name without suffix
  std::string path;
  std::string format;        // "gguf"
  std::string architecture;  // "llama"
  std::string quantization;  // of most weights: "q4_1"
  std::string title;         // general.name of the file
  std::uint64_t parameters = 0;
  std::uint64_t file_bytes = 0;
  std::int64_t trained_context = 0;
  std::int64_t effective_context = 0;  // tokens for one request as loaded; 0 when not loaded
  std::int64_t parallel = 0;           // generations that run at once, as loaded; 0 when not loaded
  std::int64_t embedding_width = 0;
  std::int64_t layers = 0;
  std::int64_t vocabulary = 0;
  std::int64_t created = 0;               // file's modification time, seconds since 1970
  std::vector<std::string> capabilities;  // completion, tools, vision, thinking, embedding, rerank, insert
  std::string chat_template;              // source; empty when the model has none
  SamplingParams defaults;                // from the model's own generation settings
};

}  // namespace pensieve
