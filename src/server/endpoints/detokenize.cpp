// POST /detokenize: the text of token ids.
#include <array>

#include "server/await_result.h"
#include "server/context.h"
#include "server/dialects/completion_request.h"
#include "server/dialects/errors.h"
#include "server/dialects/reply_parts.h"
#include "server/endpoint.h"
#include "server/generation.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/detokenize"};
constexpr std::array kFields{Field{"model", FieldKind::text}, Field{"tokens", FieldKind::list}};

struct Wanted {
  std::string model;
  std::vector<std::int32_t> tokens;
};

Result<Wanted> read_body(const std::string& text) {
  const auto body = parse_body(text);
  if (!body) return tl::unexpected(body.error());
  if (auto checked = check_fields(*body, kFields); !checked) return tl::unexpected(checked.error());
  const Json* list = find_field(*body, "tokens");
  if (list == nullptr) return fail(Error::Code::invalid, "tokens is missing: a list of token ids", "tokens");
  auto tokens = read_tokens(*list, "tokens");
  if (!tokens) return tl::unexpected(std::move(tokens.error()));
  return Wanted{text_field(*body, "model"), std::move(*tokens)};
}

Task<void> handle(Exchange& exchange, Context& context) {
  const auto wanted = read_body(exchange.request().body);
  if (!wanted) co_return reply_error(exchange, wanted.error());
  const auto model = co_await acquire_model(exchange, context, wanted->model);
  if (!model) co_return reply_error(exchange, model.error());
  Inference& inference = **model;
  if (const auto known = check_tokens(wanted->tokens, inference.info(), "tokens"); !known) {
    co_return reply_error(exchange, known.error());
  }
  using Answer = Result<std::string>;
  const std::vector<std::int32_t>& tokens = wanted->tokens;
  std::function<void(std::function<void(Answer)>)> start = [&inference,
                                                            tokens](std::function<void(Answer)> done) {
    inference.detokenize(tokens, std::move(done));
  };
  const auto text = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!text) co_return reply_error(exchange, text.error());
  std::string out = "{\"content\":";
  append_string(*text, out);
  exchange.reply(200, "application/json", out + "}");
}

}  // namespace

extern const Endpoint endpoint_detokenize;
const Endpoint endpoint_detokenize{"POST", kPaths, &handle};

}  // namespace pensieve::server
