// See response_request.h. Form and ranges: the OpenAI API reference, "Create a model response".
#include "server/dialects/response_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "server/dialects/constraint_fields.h"
#include "server/dialects/response_items.h"
#include "server/dialects/response_tools.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kMostMetadata = 16;
constexpr std::size_t kLongestKey = 64, kLongestValue = 512;  // characters

constexpr std::array kResponseFields{
    Field{"input", FieldKind::anything},  // response_items.cpp
    Field{"instructions", FieldKind::text},
    Field{"previous_response_id", FieldKind::text},
    Field{"max_output_tokens", FieldKind::integer, 1, 2147483647.0},
    Field{"max_tool_calls", FieldKind::integer, 1, 2147483647.0},  // of hosted tools: there are none to count
    Field{"top_logprobs", FieldKind::integer, 0, 20},
    Field{"store", FieldKind::boolean},
    Field{"metadata", FieldKind::object},
    Field{"text", FieldKind::object},
    Field{"reasoning", FieldKind::object},
    Field{"include", FieldKind::list},
    Field{"truncation", FieldKind::text},
    Field{"chat_template_kwargs", FieldKind::object},
    Field{"tools", FieldKind::list},  // these three: response_tools.cpp
    Field{"tool_choice", FieldKind::anything},
    Field{"parallel_tool_calls", FieldKind::boolean},
    Field{"user", FieldKind::text},
    Field{"safety_identifier", FieldKind::text},
    Field{"prompt_cache_key", FieldKind::text},
    Field{"prompt_cache_retention", FieldKind::text},
    Field{"background", FieldKind::refused},
    Field{"conversation", FieldKind::refused, 0, 0, "use previous_response_id"},
    Field{"session", FieldKind::refused, 0, 0, "use previous_response_id"},
    Field{"context_management", FieldKind::refused},
    Field{"prompt", FieldKind::refused, 0, 0, "use instructions and input"},
    Field{"prompt_cache_options", FieldKind::refused},
    Field{"moderation", FieldKind::refused},
};
constexpr std::array kStreamFields{
    Field{"include_obfuscation", FieldKind::refused},
};
constexpr std::array kTextFields{
    Field{"format", FieldKind::object},
    Field{"verbosity", FieldKind::text},
};
constexpr std::array kFormatFields{
    Field{"name", FieldKind::text},
    Field{"description", FieldKind::text},
    Field{"strict", FieldKind::boolean},
};
constexpr std::array kReasoningFields{
    Field{"effort", FieldKind::text}, Field{"summary", FieldKind::text},
    Field{"generate_summary", FieldKind::text},  // the older name of summary
};

constexpr std::array<std::string_view, 7> kEfforts{"none", "minimal", "low", "medium",
                                                   "high", "xhigh",   "max"};
constexpr std::array<std::string_view, 3> kSummaries{"auto", "concise", "detailed"};
constexpr std::array<std::string_view, 3> kVerbosities{"low", "medium", "high"};
// Those of tools that are never called here ask for nothing.
constexpr std::string_view kLogprobs = "message.output_text.logprobs";
constexpr std::string_view kWrapped = "reasoning.encrypted_content";
constexpr std::array<std::string_view, 8> kIncludes{kLogprobs,
                                                    kWrapped,
                                                    "file_search_call.results",
                                                    "web_search_call.results",
                                                    "web_search_call.action.sources",
                                                    "message.input_image.image_url",
                                                    "computer_call_output.output.image_url",
                                                    "code_interpreter_call.outputs"};

std::string quoted(std::span<const std::string_view> words) {
  std::string all;
  for (std::size_t i = 0; i < words.size(); ++i)
    all += fmt::format("{}'{}'", i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i]);
  return all;
}

// The member as one of a few words; empty where it is absent.
Result<std::string> read_word(const Json& object, const char* name, const std::string& where,
                              std::span<const std::string_view> words) {
  std::string word = text_field(object, name);
  if (find_field(object, name) && std::find(words.begin(), words.end(), word) == words.end())
    return wrong_field(where + name, quoted(words), *find_field(object, name));
  return word;
}

Json or_null(const Json& object, const char* name) {
  const Json* value = find_field(object, name);
  return value ? *value : Json();
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

Result<> check_metadata(const Json& body) {
  const Json* metadata = find_field(body, "metadata");
  if (metadata == nullptr) return {};
  if (metadata->size() > kMostMetadata) {
    return fail(
        Error::Code::invalid,
        fmt::format("metadata has {} pairs; at most {} are possible", metadata->size(), kMostMetadata),
        "metadata");
  }
  for (const auto& [key, value] : metadata->items()) {
    if (!value.is_string()) return wrong_field("metadata." + key.substr(0, kLongestKey), "a string", value);
    if (characters(key) > kLongestKey || characters(value.get_ref<const std::string&>()) > kLongestValue) {
      return fail(Error::Code::invalid,
                  fmt::format("metadata.{}: keys have at most {} characters and values {}",
                              key.substr(0, kLongestKey), kLongestKey, kLongestValue),
                  "metadata");
    }
  }
  return {};
}

// {"type":"json_schema","name",…,"schema"}: unlike in a chat completion, all beside the type.
Result<> read_text_format(const Json& format, GenerationRequest& generation) {
  auto constraint = read_format(format, "text.format");
  if (!constraint) return tl::unexpected(std::move(constraint.error()));
  if (auto checked = check_fields(format, kFormatFields, "text.format."); !checked) return checked;
  if (format["type"] == "json_schema" && text_field(format, "name").empty()) {
    return fail(Error::Code::invalid, "text.format.name is missing: a schema has a name, beside its type",
                "text.format.name");
  }
  if (*constraint && generation.constraint) {
    return fail(Error::Code::invalid,
                "text.format: only one of text.format, response_format, json_schema and grammar is possible",
                "text.format");
  }
  if (*constraint) generation.constraint = std::move(*constraint);
  return {};
}

Result<> read_text(const Json& body, ResponseCall& call, Json& arguments) {
  const Json* text = find_field(body, "text");
  Json format{{"type", "text"}};
  std::string verbosity;
  if (text) {
    if (auto checked = check_fields(*text, kTextFields, "text."); !checked) return checked;
    auto word = read_word(*text, "verbosity", "text.", kVerbosities);
    if (!word) return tl::unexpected(std::move(word.error()));
    verbosity = std::move(*word);
    if (const Json* given = find_field(*text, "format")) {
      if (auto read = read_text_format(*given, call.call.generation); !read) return read;
      format = *given;
    }
  }
  if (!verbosity.empty()) arguments["verbosity"] = verbosity;
  call.settings["text"] = {{"format", std::move(format)},
                           {"verbosity", verbosity.empty() ? "medium" : verbosity}};
  return {};
}

Result<> read_reasoning(const Json& body, ResponseCall& call, Json& arguments) {
  std::string effort, summary;
  if (const Json* reasoning = find_field(body, "reasoning")) {
    if (auto checked = check_fields(*reasoning, kReasoningFields, "reasoning."); !checked) return checked;
    auto word = read_word(*reasoning, "effort", "reasoning.", kEfforts);
    if (!word) return tl::unexpected(std::move(word.error()));
    effort = std::move(*word);
    for (const char* name : {"generate_summary", "summary"}) {
      auto kind = read_word(*reasoning, name, "reasoning.", kSummaries);
      if (!kind) return tl::unexpected(std::move(kind.error()));
      if (!kind->empty()) summary = std::move(*kind);
    }
  }
  call.summary = !summary.empty();
  if (!effort.empty()) {
    arguments["reasoning_effort"] = effort;
    arguments["enable_thinking"] = effort != "none";
  }
  call.settings["reasoning"] = {{"effort", effort.empty() ? Json() : Json(effort)},
                                {"summary", summary.empty() ? Json() : Json(summary)}};
  return {};
}

Result<> read_include(const Json& body, ResponseCall& call) {
  std::int32_t& top = call.call.generation.top_logprobs;
  if (const auto given = integer_field(body, "top_logprobs"); given && *given > 0)
    top = static_cast<std::int32_t>(*given);
  if (const Json* include = find_field(body, "include")) {
    for (std::size_t i = 0; i < include->size(); ++i) {
      const Json& entry = (*include)[i];
      const std::string word = entry.is_string() ? entry.get<std::string>() : std::string();
      if (std::find(kIncludes.begin(), kIncludes.end(), word) == kIncludes.end())
        return wrong_field(fmt::format("include[{}]", i), quoted(kIncludes), entry);
      if (word == kLogprobs) top = std::max(top, 0);
      if (word == kWrapped) call.wrapped = true;
    }
  }
  call.settings["top_logprobs"] = std::max(top, 0);
  return {};
}

Result<> check_truncation(const Json& body) {
  const std::string truncation = text_field(body, "truncation");
  if (truncation.empty() || truncation == "disabled") return {};
  if (truncation != "auto") return wrong_field("truncation", "'disabled'", *find_field(body, "truncation"));
  return fail(
      Error::Code::unsupported,
      "truncation: 'auto' is not possible: nothing of the input is dropped here; leave items out yourself, "
      "or say 'disabled'",
      "truncation");
}

Result<> read_limits(const Json& body, Call& call) {
  GenerationRequest& generation = call.generation;
  if (generation.choices != 1) {
    return fail(Error::Code::invalid, fmt::format("n is {}; here an answer is one", generation.choices), "n");
  }
  if (const auto limit = integer_field(body, "max_output_tokens"))
    generation.max_tokens = generation.max_tokens < 0 ? *limit : std::min(*limit, generation.max_tokens);
  return {};
}

void repeat_settings(const Json& body, ResponseCall& call) {
  Json& settings = call.settings;
  const std::int64_t limit = call.call.generation.max_tokens;
  settings["instructions"] = or_null(body, "instructions");
  settings["max_output_tokens"] = limit < 0 ? Json() : Json(limit);
  for (const char* name : {"max_tool_calls", "previous_response_id", "prompt_cache_key",
                           "prompt_cache_retention", "safety_identifier", "user"})
    settings[name] = or_null(body, name);
  const Json* metadata = find_field(body, "metadata");
  settings["metadata"] = metadata ? *metadata : Json::object();
  settings["background"] = false;
  settings["service_tier"] = "default";
  settings["truncation"] = "disabled";
}

Result<> read_all(const Json& body, ResponseCall& call) {
  if (auto read = read_generation_fields(body, 1, call.call); !read) return read;
  if (auto checked = check_fields(body, kResponseFields); !checked) return checked;
  if (const Json* options = find_field(body, "stream_options")) {
    if (auto checked = check_fields(*options, kStreamFields, "stream_options."); !checked) return checked;
  }
  if (auto checked = check_metadata(body); !checked) return checked;
  if (auto checked = check_truncation(body); !checked) return checked;
  if (auto read = read_limits(body, call.call); !read) return read;
  Json arguments = Json::object();
  if (auto read = read_text(body, call, arguments); !read) return read;
  if (auto read = read_reasoning(body, call, arguments); !read) return read;
  if (auto read = read_include(body, call); !read) return read;
  if (const Json* given = find_field(body, "chat_template_kwargs")) arguments.update(*given);
  ChatRequest chat;
  if (auto read = read_response_tools(body, chat, call.settings); !read) return read;
  if (!arguments.empty()) chat.template_arguments = util::to_json(arguments);
  call.call.generation.prompt = std::move(chat);
  const Json* input = find_field(body, "input");
  if (input == nullptr)
    return fail(Error::Code::invalid, "input is missing: a text, or a list of items", "input");
  auto items = read_items(*input);
  if (!items) return tl::unexpected(std::move(items.error()));
  call.items = std::move(*items);
  return {};
}

}  // namespace

Result<ResponseCall> read_response_call(const Json& body) {
  ResponseCall call;
  call.settings = Json::object();
  if (auto read = read_all(body, call); !read) return tl::unexpected(std::move(read.error()));
  call.previous = text_field(body, "previous_response_id");
  call.instructions = text_field(body, "instructions");
  call.store = boolean_field(body, "store", true);
  call.must_store = call.store && find_field(body, "store") != nullptr;
  repeat_settings(body, call);
  call.call.unknown = unknown_fields(body, {generation_fields(), kResponseFields});
  return call;
}

void set_conversation(ResponseCall& call) {
  auto& messages = std::get<ChatRequest>(call.call.generation.prompt).messages;
  messages.clear();
  if (!call.instructions.empty()) messages.push_back({.role = "system", .content = call.instructions});
  for (ChatMessage& message : messages_of(call.items)) messages.push_back(std::move(message));
}

}  // namespace pensieve::server
