// See ollama_request.h. Fields and defaults: Ollama's API documentation.
#include "server/dialects/ollama_request.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "server/dialects/constraint_fields.h"
#include "server/dialects/keep_alive.h"
#include "server/dialects/reasoning_fields.h"
#include "server/dialects/tools.h"

namespace pensieve::server {
namespace {

constexpr double kInt32 = 2147483647.0;
constexpr std::size_t kInputs = 2048;

constexpr std::array kCommonFields{
    Field{"model", FieldKind::text},          Field{"stream", FieldKind::boolean},
    Field{"format", FieldKind::anything},     Field{"options", FieldKind::object},
    Field{"keep_alive", FieldKind::anything}, Field{"think", FieldKind::anything},
    Field{"logprobs", FieldKind::boolean},    Field{"top_logprobs", FieldKind::integer, 0, 20},
};

constexpr std::array kGenerateFields{
    Field{"prompt", FieldKind::text},
    Field{"system", FieldKind::text},
    Field{"raw", FieldKind::boolean},
    Field{"suffix", FieldKind::refused},
    Field{"template", FieldKind::refused, 0, 0, "use raw to write the whole prompt yourself"},
    Field{"context", FieldKind::refused, 0, 0, "use /api/chat for conversations"},
    Field{"images", FieldKind::refused, 0, 0, "this model reads text only, no images"},
};

constexpr std::array kChatFields{
    Field{"messages", FieldKind::list},
    Field{"tools", FieldKind::list},
};

// Those that say how the program itself runs (num_gpu, num_thread, …) are not the request's business here and
// count as unknown.
constexpr std::array kOptions{
    Field{"num_predict", FieldKind::integer, -2, kInt32, "-1 for no limit, or at least 1"},
    Field{"num_ctx", FieldKind::integer, 1, kInt32, "at least 1"},
    Field{"num_keep", FieldKind::integer},  // acts only where prompts are cut, and here they never are
    Field{"seed", FieldKind::integer},
    Field{"temperature", FieldKind::number, 0, 100},
    Field{"top_k", FieldKind::integer, -1, kInt32},
    Field{"top_p", FieldKind::number, 0, 1},
    Field{"min_p", FieldKind::number, 0, 1},
    Field{"typical_p", FieldKind::number, 0, 1},
    Field{"repeat_last_n", FieldKind::integer, -1, kInt32},
    Field{"repeat_penalty", FieldKind::number, 1e-6, 1e6, "a number above 0"},
    Field{"presence_penalty", FieldKind::number, -2, 2},
    Field{"frequency_penalty", FieldKind::number, -2, 2},
    Field{"stop", FieldKind::anything},
    Field{"mirostat", FieldKind::refused},
    Field{"tfs_z", FieldKind::refused, 0, 0, {}, 1},
};

constexpr std::array kEmbedFields{
    Field{"model", FieldKind::text},
    Field{"prompt", FieldKind::text},
    Field{"truncate", FieldKind::boolean},
    Field{"dimensions", FieldKind::integer, 1, kInt32, "at least 1"},
    Field{"keep_alive", FieldKind::anything},
    Field{"options", FieldKind::object},
};

Result<> read_options(const Json& body, OllamaCall& ollama) {
  const Json* options = find_field(body, "options");
  if (options == nullptr) return {};
  if (auto checked = check_fields(*options, kOptions, "options."); !checked) return checked;
  GenerationRequest& generation = ollama.call.generation;
  read_samplers(*options, ollama.call);
  read_seed(*options, generation.sampling);
  if (auto read = read_stop(*options, "stop", generation.stop); !read) return read;
  ollama.context = integer_field(*options, "num_ctx");
  if (const auto limit = integer_field(*options, "num_predict")) {
    if (*limit == 0)
      return wrong_field("options.num_predict", "-1 for no limit, or at least 1", Json(*limit));
    generation.max_tokens = *limit < 0 ? -1 : *limit;
  }
  for (std::string& name : unknown_fields(*options, {kOptions}))
    ollama.call.unknown.push_back("options." + std::move(name));
  return {};
}

// "format": "json", or a schema itself.
Result<> read_format(const Json& body, GenerationRequest& generation) {
  const Json* format = find_field(body, "format");
  if (format == nullptr || *format == "") return {};
  if (*format == "json") {
    generation.constraint = Constraint{Constraint::Kind::json_object, {}, "format"};
  } else if (format->is_object()) {
    generation.constraint = Constraint{Constraint::Kind::json_schema, util::to_json(*format), "format"};
  } else {
    return wrong_field("format", "'json' or a JSON Schema (an object)", *format);
  }
  return {};
}

// A level is what reasoning_effort is elsewhere.
Result<> read_think(const Json& body, OllamaCall& ollama, ChatRequest& chat) {
  const Json* think = find_field(body, "think");
  if (think == nullptr) return {};
  Json arguments = Json::object();
  if (think->is_boolean()) {
    ollama.must_think = think->get<bool>();
    switch_thinking(ollama.must_think, arguments);
    if (!ollama.must_think) ollama.call.generation.reasoning_tokens = 0;
  } else if (*think == "low" || *think == "medium" || *think == "high") {
    ollama.must_think = true;
    if (auto read = read_effort(*think, "think", arguments, ollama.call.generation); !read) return read;
  } else {
    return wrong_field("think", "true, false, 'low', 'medium' or 'high'", *think);
  }
  chat.template_arguments = util::to_json(arguments);
  return {};
}

Result<> read_common(const Json& body, OllamaCall& ollama) {
  if (auto checked = check_fields(body, kCommonFields); !checked) return checked;
  auto model = read_ollama_model(body);
  if (!model) return tl::unexpected(std::move(model.error()));
  ollama.call.model = std::move(*model);
  ollama.call.stream = boolean_field(body, "stream", true);
  if (auto read = read_options(body, ollama); !read) return read;
  if (auto read = read_format(body, ollama.call.generation); !read) return read;
  const auto top = integer_field(body, "top_logprobs");
  if (boolean_field(body, "logprobs", false))
    ollama.call.generation.top_logprobs = static_cast<std::int32_t>(top.value_or(0));
  auto keep = read_keep_alive(body);
  if (!keep) return tl::unexpected(std::move(keep.error()));
  ollama.call.keep_alive = *keep;
  return {};
}

void add_unknown(std::vector<std::string> names, Call& call) {
  for (std::string& name : names) call.unknown.push_back(std::move(name));
}

Result<std::vector<std::string>> read_inputs(const Json* input, const std::string& field) {
  if (input == nullptr) {
    return fail(Error::Code::invalid, fmt::format("{} is missing: the text to embed", field), field);
  }
  const Json list = input->is_array() ? *input : Json::array({*input});
  if (list.empty() || list.size() > kInputs) {
    return fail(Error::Code::invalid,
                fmt::format("{} has {} texts; 1 to {} are possible", field, list.size(), kInputs), field);
  }
  std::vector<std::string> texts;
  for (const Json& entry : list) {
    if (!entry.is_string() || entry.get_ref<const std::string&>().empty())
      return wrong_field(field, "a text or a list of texts, none of them empty", entry);
    texts.push_back(entry.get<std::string>());
  }
  return texts;
}

Result<OllamaEmbedding> read_embedding(const Json& body, const std::string& field) {
  if (auto checked = check_fields(body, kEmbedFields); !checked) return tl::unexpected(checked.error());
  OllamaEmbedding embedding;
  auto model = read_ollama_model(body);
  if (!model) return tl::unexpected(std::move(model.error()));
  embedding.model = std::move(*model);
  auto inputs = read_inputs(find_field(body, field), field);
  if (!inputs) return tl::unexpected(std::move(inputs.error()));
  embedding.inputs = std::move(*inputs);
  embedding.truncate = boolean_field(body, "truncate", false);
  embedding.dimensions = integer_field(body, "dimensions");
  auto keep = read_keep_alive(body);
  if (!keep) return tl::unexpected(std::move(keep.error()));
  embedding.keep_alive = *keep;
  return embedding;
}

}  // namespace

Result<std::string> read_ollama_model(const Json& body) {
  for (const char* field : {"model", "name"}) {
    const Json* value = find_field(body, field);
    if (value == nullptr) continue;
    if (!value->is_string()) return wrong_field(field, "a string", *value);
    if (!value->get_ref<const std::string&>().empty()) return value->get<std::string>();
  }
  return fail(Error::Code::invalid, "model is missing: name one of /api/tags", "model");
}

Result<OllamaCall> read_ollama_generate(const Json& body) {
  OllamaCall ollama;
  if (auto read = read_common(body, ollama); !read) return tl::unexpected(std::move(read.error()));
  if (auto checked = check_fields(body, kGenerateFields); !checked) return tl::unexpected(checked.error());
  const std::string prompt = text_field(body, "prompt");
  ChatRequest chat;
  if (auto read = read_think(body, ollama, chat); !read) return tl::unexpected(std::move(read.error()));
  add_unknown(unknown_fields(body, {kCommonFields, kGenerateFields}), ollama.call);
  ollama.load_only = prompt.empty();
  if (boolean_field(body, "raw", false)) {
    ollama.call.generation.prompt = prompt;
    return ollama;
  }
  ChatMessage message;
  if (const std::string system = text_field(body, "system"); !system.empty()) {
    message.role = "system";
    message.content = system;
    chat.messages.push_back(message);
  }
  message.role = "user";
  message.content = prompt;
  chat.messages.push_back(std::move(message));
  ollama.call.generation.prompt = std::move(chat);
  return ollama;
}

Result<OllamaCall> read_ollama_chat(const Json& body) {
  OllamaCall ollama;
  if (auto read = read_common(body, ollama); !read) return tl::unexpected(std::move(read.error()));
  if (auto checked = check_fields(body, kChatFields); !checked) return tl::unexpected(checked.error());
  ChatRequest chat;
  if (auto read = read_think(body, ollama, chat); !read) return tl::unexpected(std::move(read.error()));
  if (const Json* list = find_field(body, "messages")) {
    auto messages = read_ollama_messages(*list);
    if (!messages) return tl::unexpected(std::move(messages.error()));
    chat.messages = std::move(*messages);
  }
  if (auto read = read_chat_tools(body, chat); !read) return tl::unexpected(std::move(read.error()));
  add_unknown(unknown_fields(body, {kCommonFields, kChatFields}), ollama.call);
  ollama.load_only = chat.messages.empty();
  ollama.call.generation.prompt = std::move(chat);
  return ollama;
}

Result<OllamaEmbedding> read_ollama_embed(const Json& body) {
  return read_embedding(body, "input");
}

Result<OllamaEmbedding> read_ollama_embeddings(const Json& body) {
  return read_embedding(body, "prompt");
}

}  // namespace pensieve::server
