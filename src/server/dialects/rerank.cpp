// See rerank.h. Fields: the API references of Jina (POST /v1/rerank), Cohere (v2) and
// text-embeddings-inference.
#include "server/dialects/rerank.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

#include "server/dialects/reply_parts.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kMostDocuments = 2048;

constexpr std::array kFields{
    Field{"model", FieldKind::text},
    Field{"query", FieldKind::text},
    Field{"documents", FieldKind::list},
    Field{"texts", FieldKind::list},
    Field{"top_n", FieldKind::integer, 1, 1 << 20},
    Field{"return_documents", FieldKind::boolean},
    Field{"return_text", FieldKind::boolean},
    Field{"raw_scores", FieldKind::boolean},
    Field{"truncate", FieldKind::boolean},
    Field{"user", FieldKind::anything},
};

Result<> read_documents(const Json& list, const std::string& name, RerankCall& call) {
  if (list.empty() || list.size() > kMostDocuments) {
    return fail(
        Error::Code::invalid,
        fmt::format("{} has {} entries; from 1 to {} are possible", name, list.size(), kMostDocuments), name);
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Json& entry = list[i];
    const Json* text = entry.is_object() ? find_field(entry, "text") : &entry;
    if (text == nullptr || !text->is_string())
      return wrong_field(fmt::format("{}[{}]", name, i), "a string, or an object with a text", entry);
    call.documents.push_back(text->get<std::string>());
  }
  return {};
}

double shown_score(float logit, bool raw) {
  const double value = static_cast<double>(logit);
  if (!raw) return std::isnan(value) ? 0.0 : 1.0 / (1.0 + std::exp(-value));
  return std::isfinite(value) ? value : std::copysign(1e30, value);
}

}  // namespace

Result<RerankCall> read_rerank_call(const Json& body) {
  if (auto checked = check_fields(body, kFields); !checked) return tl::unexpected(checked.error());
  RerankCall call;
  call.model = text_field(body, "model");
  call.query = text_field(body, "query");
  if (call.query.empty())
    return fail(Error::Code::invalid, "query is missing or empty: the text to rank documents by", "query");
  const Json* documents = find_field(body, "documents");
  const Json* texts = find_field(body, "texts");
  if (documents != nullptr && texts != nullptr)
    return fail(Error::Code::invalid, "documents and texts are two names of one list; send one", "texts");
  if (documents == nullptr && texts == nullptr)
    return fail(Error::Code::invalid, "documents is missing: the texts to rank", "documents");
  call.texts = texts != nullptr;
  const Json& list = call.texts ? *texts : *documents;
  if (auto read = read_documents(list, call.texts ? "texts" : "documents", call); !read)
    return tl::unexpected(std::move(read.error()));
  call.top = integer_field(body, "top_n");
  call.return_documents = boolean_field(body, call.texts ? "return_text" : "return_documents", false);
  call.raw_scores = boolean_field(body, "raw_scores", false);
  call.truncate = boolean_field(body, "truncate", false);
  call.unknown = unknown_fields(body, {kFields});
  return call;
}

EmbeddingRequest rerank_request(const RerankCall& call, std::string request_id) {
  EmbeddingRequest request;
  request.request_id = std::move(request_id);
  request.truncate = call.truncate;
  for (const std::string& document : call.documents)
    request.inputs.emplace_back(TextPair{call.query, document});
  return request;
}

std::string rerank_text(const Embeddings& made, const RerankCall& call, std::string_view model,
                        std::string_view id) {
  const auto score = [&](std::size_t i) {
    return i < made.vectors.size() && !made.vectors[i].empty() ? made.vectors[i].front() : 0.0F;
  };
  std::vector<std::size_t> order(call.documents.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rank = [&](std::size_t i) { return std::isnan(score(i)) ? -HUGE_VALF : score(i); };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return rank(a) > rank(b); });
  if (call.top) order.resize(std::min(order.size(), static_cast<std::size_t>(*call.top)));

  std::string list = "[";
  for (const std::size_t i : order) {
    if (list.size() > 1) list += ',';
    fmt::format_to(std::back_inserter(list), "{{\"index\":{},\"{}\":{:.9e}", i,
                   call.texts ? "score" : "relevance_score", shown_score(score(i), call.raw_scores));
    if (call.return_documents) {
      list += call.texts ? ",\"text\":" : ",\"document\":{\"text\":";
      append_string(call.documents[i], list);
      if (!call.texts) list += '}';
    }
    list += '}';
  }
  list += ']';
  if (call.texts) return list;
  std::string out = "{\"id\":";
  append_string(id, out);
  out += ",\"object\":\"list\",\"model\":";
  append_string(model, out);
  out += ",\"results\":" + list;
  fmt::format_to(std::back_inserter(out), R"(,"usage":{{"prompt_tokens":{0},"total_tokens":{0}}}}})",
                 made.prompt_tokens);
  return out;
}

}  // namespace pensieve::server
