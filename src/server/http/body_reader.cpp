// The only place that uses Beast's HTTP parser.
#include "server/http/body_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace pensieve::server {
namespace http = boost::beast::http;

struct BodyReader::Parser {
  http::request_parser<http::string_body> request;
  std::size_t limit = 0;
};

namespace {

Refusal refusal_of(const boost::beast::error_code& problem, std::size_t limit) {
  if (problem == http::error::body_limit) {
    return {413, "the body is larger than " + std::to_string(limit) + " bytes", "request_too_large"};
  }
  return {400, "the body is not framed as HTTP/1.1 asks: " + problem.message()};
}

}  // namespace

BodyReader::BodyReader(std::unique_ptr<Parser> parser) : parser_(std::move(parser)) {}
BodyReader::BodyReader(BodyReader&&) noexcept = default;
BodyReader& BodyReader::operator=(BodyReader&&) noexcept = default;
BodyReader::~BodyReader() = default;

tl::expected<BodyReader, Refusal> BodyReader::open(std::string_view head_bytes, std::size_t limit) {
  auto parser = std::make_unique<Parser>();
  parser->limit = limit;
  parser->request.header_limit(static_cast<std::uint32_t>(head_bytes.size() + 1024));
  parser->request.body_limit(limit);
  parser->request.eager(false);
  boost::beast::error_code problem;
  parser->request.put(boost::asio::buffer(head_bytes.data(), head_bytes.size()), problem);
  if (problem && problem != http::error::need_more) return tl::unexpected(refusal_of(problem, limit));
  parser->request.eager(true);
  return BodyReader(std::move(parser));
}

bool BodyReader::done() const {
  return parser_->request.is_done();
}

tl::expected<std::size_t, Refusal> BodyReader::feed(std::string_view input) {
  std::size_t taken = 0;
  while (!done() && taken < input.size()) {
    boost::beast::error_code problem;
    taken += parser_->request.put(boost::asio::buffer(input.data() + taken, input.size() - taken), problem);
    if (problem == http::error::need_more) break;
    if (problem) return tl::unexpected(refusal_of(problem, parser_->limit));
  }
  return taken;
}

std::string BodyReader::take() {
  return std::move(parser_->request.get().body());
}

}  // namespace pensieve::server
