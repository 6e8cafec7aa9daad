// GET /v1/responses/{id}/input_items?limit&order&after: what a kept answer was an answer to.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "server/await_result.h"
#include "server/chat_answer.h"
#include "server/dialects/errors.h"
#include "server/dialects/response_items.h"
#include "server/endpoint.h"
#include "server/sessions/response_store.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/responses/{id}/input_items", "/responses/{id}/input_items"};

Result<ItemPage> read_page(const Request& request) {
  ItemPage page;
  if (const auto text = request.query_value("limit")) {
    const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), page.limit);
    if (problem != std::errc() || end != text->data() + text->size() || page.limit < 1 ||
        page.limit > ItemPage::kMost) {
      return fail(
          Error::Code::invalid,
          fmt::format("limit is '{}', not a number from 1 to {}", text->substr(0, 40), ItemPage::kMost),
          "limit");
    }
  }
  if (const auto order = request.query_value("order")) {
    if (*order != "asc" && *order != "desc") {
      return fail(Error::Code::invalid,
                  fmt::format("order is '{}', neither 'asc' nor 'desc'", order->substr(0, 40)), "order");
    }
    page.oldest_first = *order == "asc";
  }
  page.after = request.query_value("after").value_or("");
  return page;
}

Task<void> handle(Exchange& exchange, Context& context) {
  const auto page = read_page(exchange.request());
  if (!page) co_return reply_error(exchange, page.error());
  using Answer = Result<StoredResponse>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    context.responses.find(exchange.request().owner, std::string(exchange.request().parameter("id")),
                           std::move(done));
  };
  const auto answer = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!answer) co_return reply_error(exchange, answer.error());
  auto text = item_list_text(answer->input, *page);
  if (!text) co_return reply_error(exchange, text.error());
  exchange.reply(200, "application/json", std::move(*text));
}

}  // namespace

extern const Endpoint endpoint_response_input_items;
const Endpoint endpoint_response_input_items{"GET", kPaths, &handle};

}  // namespace pensieve::server
