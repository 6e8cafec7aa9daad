// See embeddings.h. Fields: the OpenAI API reference; `truncate` is ours.
#include "server/dialects/embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <iterator>

#include "server/dialects/completion_request.h"
#include "server/dialects/reply_parts.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kMostInputs = 2048;

constexpr std::array kFields{
    Field{"model", FieldKind::text},           Field{"input", FieldKind::anything},
    Field{"encoding_format", FieldKind::text}, Field{"dimensions", FieldKind::integer, 1, 1 << 20},
    Field{"truncate", FieldKind::boolean},     Field{"user", FieldKind::anything},
};

tl::unexpected<Error> wrong_input(const Json& value) {
  return wrong_field("input", "a string, a list of strings, a list of token ids, or a list of those", value);
}

Result<> read_tokens_input(const Json& list, EmbeddingRequest& request) {
  auto tokens = read_tokens(list, "input");
  if (!tokens) return tl::unexpected(std::move(tokens.error()));
  request.inputs.emplace_back(std::move(*tokens));
  return {};
}

Result<> read_input(const Json& body, EmbeddingRequest& request) {
  const Json* input = find_field(body, "input");
  if (input == nullptr) return fail(Error::Code::invalid, "input is missing: the text to embed", "input");
  if (input->is_string()) {
    request.inputs.emplace_back(input->get<std::string>());
    return {};
  }
  if (!input->is_array() || input->empty()) return wrong_input(*input);
  if (input->front().is_number()) return read_tokens_input(*input, request);
  if (auto few = check_input_count(input->size()); !few) return few;
  for (const Json& entry : *input) {
    if (entry.is_string() && input->front().is_string()) {
      request.inputs.emplace_back(entry.get<std::string>());
    } else if (entry.is_array() && !entry.empty() && input->front().is_array()) {
      if (auto read = read_tokens_input(entry, request); !read) return read;
    } else {
      return wrong_input(entry);
    }
  }
  return {};
}

}  // namespace

Result<> check_input_count(std::size_t count) {
  if (count <= kMostInputs) return {};
  return fail(Error::Code::invalid,
              fmt::format("input has {} entries; at most {} are possible at once", count, kMostInputs),
              "input");
}

Result<EmbeddingsCall> read_embeddings_call(const Json& body) {
  if (auto checked = check_fields(body, kFields); !checked) return tl::unexpected(checked.error());
  EmbeddingsCall call;
  call.model = text_field(body, "model");
  if (auto read = read_input(body, call.request); !read) return tl::unexpected(std::move(read.error()));
  const std::string format = text_field(body, "encoding_format");
  if (!format.empty() && format != "float" && format != "base64") {
    return wrong_field("encoding_format", "'float' or 'base64'", *find_field(body, "encoding_format"));
  }
  call.base64 = format == "base64";
  call.dimensions = integer_field(body, "dimensions");
  call.request.truncate = boolean_field(body, "truncate", false);
  call.unknown = unknown_fields(body, {kFields});
  return call;
}

Result<> fit_embeddings(const ModelInfo& info, const EmbeddingsCall& call) {
  for (const auto& input : call.request.inputs) {
    const auto* tokens = std::get_if<std::vector<std::int32_t>>(&input);
    if (tokens == nullptr) continue;
    if (auto known = check_tokens(*tokens, info, "input"); !known) return known;
  }
  return {};
}

Result<> cut_vectors(std::int64_t dimensions, std::vector<std::vector<float>>& vectors) {
  for (std::vector<float>& vector : vectors) {
    if (dimensions > std::ssize(vector)) {
      return fail(Error::Code::invalid,
                  fmt::format("dimensions is {}, but the model's vectors have {}", dimensions, vector.size()),
                  "dimensions");
    }
    vector.resize(static_cast<std::size_t>(dimensions));
    double squares = 0;
    for (const float x : vector) squares += static_cast<double>(x) * static_cast<double>(x);
    if (squares == 0) continue;  // a vector of zeros has no direction to keep
    const double scale = 1 / std::sqrt(squares);
    for (float& x : vector) x = static_cast<float>(x * scale);
  }
  return {};
}

void append_vector(const std::vector<float>& vector, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < vector.size(); ++i) {
    // With a point always: typed clients read whole numbers as integers.
    const float number = std::isfinite(vector[i]) ? vector[i] : 0.0F;
    fmt::format_to(std::back_inserter(out), "{}{:.9e}", i == 0 ? "" : ",", number);
  }
  out += ']';
}

std::string base64_floats(const std::vector<float>& numbers) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((4 * numbers.size() + 2) / 3 * 4);
  std::uint32_t waiting = 0;  // bytes not yet written, the oldest highest
  int bytes = 0;
  for (const float number : numbers) {
    const auto bits = std::bit_cast<std::uint32_t>(number);
    for (int shift = 0; shift < 32; shift += 8) {
      waiting = waiting << 8 | (bits >> shift & 0xFF);
      if (++bytes < 3) continue;
      for (int at = 18; at >= 0; at -= 6) out += kLetters[waiting >> at & 63];
      waiting = 0;
      bytes = 0;
    }
  }
  if (bytes == 0) return out;
  waiting <<= 8 * (3 - bytes);
  for (int i = 0; i <= bytes; ++i) out += kLetters[waiting >> (18 - 6 * i) & 63];
  out.append(static_cast<std::size_t>(3 - bytes), '=');
  return out;
}

std::string embeddings_text(const Embeddings& made, const EmbeddingsCall& call, std::string_view model) {
  std::string out = R"({"object":"list","data":[)";
  for (std::size_t i = 0; i < made.vectors.size(); ++i) {
    out += i > 0 ? "," : "";
    out += R"({"object":"embedding","index":)" + std::to_string(i) + ",\"embedding\":";
    if (call.base64) {
      append_string(base64_floats(made.vectors[i]), out);
    } else {
      append_vector(made.vectors[i], out);
    }
    out += '}';
  }
  out += "],\"model\":";
  append_string(model, out);
  fmt::format_to(std::back_inserter(out), R"(,"usage":{{"prompt_tokens":{0},"total_tokens":{0}}}}})",
                 made.prompt_tokens);
  return out;
}

}  // namespace pensieve::server
