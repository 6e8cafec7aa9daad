// A text completion's body in OpenAI's old form to a Call and its prompts.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "server/dialects/generation_fields.h"

namespace pensieve::server {

struct CompletionCall {
  Call call;
  std::vector<std::variant<std::string, std::vector<std::int32_t>>> prompts;  // each is answered `n` times
  bool echo = false;
};

Result<CompletionCall> read_completion_call(const Json& body);
// A list of token ids, whatever field it stands in.
Result<std::vector<std::int32_t>> read_tokens(const Json& list, const std::string& field);
// Token ids in `tokens` that the model does not have.
Result<> check_tokens(const std::vector<std::int32_t>& tokens, const ModelInfo& info,
                      const std::string& field);

}  // namespace pensieve::server
