// See completion_request.h.
#include "server/dialects/completion_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace pensieve::server {
namespace {

constexpr std::size_t kMostAnswers = 1024;  // prompts times choices

constexpr std::array kCompletionFields{
    Field{"prompt", FieldKind::anything},
    Field{"echo", FieldKind::boolean},
    Field{"logprobs", FieldKind::integer, 0, 20},
    Field{"suffix", FieldKind::refused, 0, 0, "the model must know how to fill in the middle"},
    Field{"best_of", FieldKind::refused, 0, 0, "use n", 1},
};

tl::unexpected<Error> wrong_prompt(const Json& value) {
  return wrong_field("prompt", "a string, a list of strings, a list of token ids, or a list of those", value);
}

Result<> read_prompts(const Json& value, CompletionCall& completion) {
  if (value.is_string()) {
    completion.prompts.emplace_back(value.get<std::string>());
    return {};
  }
  if (!value.is_array()) return wrong_prompt(value);
  if (value.empty())
    return fail(Error::Code::invalid, "prompt is an empty list; at least one prompt is needed", "prompt");
  if (value.front().is_number()) {
    auto tokens = read_tokens(value, "prompt");
    if (!tokens) return tl::unexpected(std::move(tokens.error()));
    completion.prompts.emplace_back(std::move(*tokens));
    return {};
  }
  for (const Json& entry : value) {
    if (entry.is_string()) {
      completion.prompts.emplace_back(entry.get<std::string>());
    } else if (entry.is_array() && !entry.empty()) {
      auto tokens = read_tokens(entry, "prompt");
      if (!tokens) return tl::unexpected(std::move(tokens.error()));
      completion.prompts.emplace_back(std::move(*tokens));
    } else {
      return wrong_prompt(entry);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<std::int32_t>> read_tokens(const Json& list, const std::string& field) {
  std::vector<std::int32_t> tokens;
  tokens.reserve(list.size());
  for (const Json& entry : list) {
    const bool whole = entry.is_number_integer();
    const auto id = whole ? entry.get<std::int64_t>() : -1;
    if (id < 0 || id > 2147483647) return wrong_field(field, "a list of token ids", entry);
    tokens.push_back(static_cast<std::int32_t>(id));
  }
  return tokens;
}

Result<> check_tokens(const std::vector<std::int32_t>& tokens, const ModelInfo& info,
                      const std::string& field) {
  const auto wrong =
      std::find_if(tokens.begin(), tokens.end(), [&](std::int32_t id) { return id >= info.vocabulary; });
  if (wrong == tokens.end()) return {};
  return fail(Error::Code::invalid,
              fmt::format("{}: token {} does not exist; {} has the tokens 0 to {}", field, *wrong, info.name,
                          info.vocabulary - 1),
              field);
}

Result<CompletionCall> read_completion_call(const Json& body) {
  CompletionCall completion;
  Call& call = completion.call;
  const Json* echo = find_field(body, "echo");
  const bool prompt_alone = echo && *echo == true;
  if (auto read = read_generation_fields(body, prompt_alone ? 0 : 1, call); !read)
    return tl::unexpected(read.error());
  if (auto checked = check_fields(body, kCompletionFields); !checked) return tl::unexpected(checked.error());
  completion.echo = boolean_field(body, "echo", false);
  const Json* prompt = find_field(body, "prompt");
  if (prompt == nullptr) return fail(Error::Code::invalid, "prompt is missing", "prompt");
  if (auto read = read_prompts(*prompt, completion); !read) return tl::unexpected(read.error());
  GenerationRequest& generation = call.generation;
  if (completion.prompts.size() * static_cast<std::size_t>(generation.choices) > kMostAnswers) {
    return fail(Error::Code::invalid,
                fmt::format("prompt: {} prompts with n={} ask for more than {} answers at once",
                            completion.prompts.size(), generation.choices, kMostAnswers),
                "prompt");
  }
  generation.top_logprobs = static_cast<std::int32_t>(integer_field(body, "logprobs").value_or(-1));
  generation.prompt_logprobs = completion.echo && generation.top_logprobs >= 0;
  call.unknown = unknown_fields(body, {generation_fields(), kCompletionFields});
  call.inert = inert_generation_fields(body, kCompletionFields);
  return completion;
}

}  // namespace pensieve::server
