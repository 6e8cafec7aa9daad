// POST /tokenize: a text's token ids, with their pieces if wanted.
#include <array>

#include "server/await_result.h"
#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/dialects/fields.h"
#include "server/dialects/reply_parts.h"
#include "server/endpoint.h"
#include "server/generation.h"
#include "util/unicode.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/tokenize"};
constexpr std::array kFields{
    Field{"model", FieldKind::text},          Field{"content", FieldKind::text},
    Field{"add_special", FieldKind::boolean}, Field{"parse_special", FieldKind::boolean},
    Field{"with_pieces", FieldKind::boolean},
};

Result<Json> read_body(const std::string& text) {
  auto body = parse_body(text);
  if (!body) return body;
  if (auto checked = check_fields(*body, kFields); !checked) return tl::unexpected(checked.error());
  if (!find_field(*body, "content"))
    return fail(Error::Code::invalid, "content is missing: the text to tokenize", "content");
  return body;
}

// A string where the piece is whole characters, else its bytes as numbers.
void append_piece(std::string_view piece, std::string& out) {
  if (util::valid_utf8(piece)) return append_string(piece, out);
  out += '[';
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(static_cast<unsigned char>(piece[i]));
  }
  out += ']';
}

std::string reply_text(const TokenizedText& text, bool with_pieces) {
  std::string out = "{\"tokens\":[";
  for (std::size_t i = 0; i < text.tokens.size(); ++i) {
    if (i > 0) out += ',';
    if (with_pieces) {
      out += "{\"id\":" + std::to_string(text.tokens[i]) + ",\"piece\":";
      append_piece(i < text.pieces.size() ? std::string_view(text.pieces[i]) : std::string_view(), out);
      out += '}';
    } else {
      out += std::to_string(text.tokens[i]);
    }
  }
  return out + "]}";
}

Task<void> handle(Exchange& exchange, Context& context) {
  const auto body = read_body(exchange.request().body);
  if (!body) co_return reply_error(exchange, body.error());
  const auto model = co_await acquire_model(exchange, context, text_field(*body, "model"));
  if (!model) co_return reply_error(exchange, model.error());
  Inference& inference = **model;
  const EncodeOptions options{boolean_field(*body, "add_special", false),
                              boolean_field(*body, "parse_special", true)};
  const std::string content = text_field(*body, "content");
  using Answer = Result<TokenizedText>;
  std::function<void(std::function<void(Answer)>)> start = [&inference, content,
                                                            options](std::function<void(Answer)> done) {
    inference.tokenize(content, options, std::move(done));
  };
  const auto tokens = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!tokens) co_return reply_error(exchange, tokens.error());
  exchange.reply(200, "application/json", reply_text(*tokens, boolean_field(*body, "with_pieces", false)));
}

}  // namespace

extern const Endpoint endpoint_tokenize;
const Endpoint endpoint_tokenize{"POST", kPaths, &handle};

}  // namespace pensieve::server
