// See errors.h.
#include "server/dialects/errors.h"

#include "server/dialects/error_type.h"
#include "util/json.h"

namespace pensieve::server {
namespace {

void append_text_or_null(std::string& out, const std::string& text) {
  if (text.empty()) {
    out += "null";
    return;
  }
  out += '"';
  util::json_escape(text, out);
  out += '"';
}

std::string ollama_body(const Error& error) {
  std::string out = R"({"error":")";
  util::json_escape(error.what, out);
  return out + "\"}";
}

}  // namespace

std::string_view error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "unavailable_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

bool speaks_ollama(const Request& request) {
  return request.path.starts_with("/api/");
}

int http_status(const Error& error) {
  using Code = Error::Code;
  switch (error.code) {
    case Code::invalid:
    case Code::unsupported:
      return 400;
    case Code::not_found:
      return 404;
    case Code::exhausted:
      return error.reason == "context_length_exceeded" || error.reason == "session_full" ? 400 : 503;
    case Code::cancelled:
      return 499;
    case Code::unavailable:
      return error.reason == "session_busy" ? 409 : 503;
    case Code::io:
    case Code::internal:
      return 500;
  }
  return 500;
}

std::string error_body(int status, const Error& error) {
  std::string out = R"({"error":{"message":")";
  util::json_escape(error.what, out);
  out += R"(","type":")";
  out += error_type(status);
  out += R"(","param":)";
  append_text_or_null(out, error.field);
  out += R"(,"code":)";
  append_text_or_null(out, error.reason);
  for (const auto& number : error.numbers) {
    out += ",\"";
    util::json_escape(number.first, out);
    out += "\":" + std::to_string(number.second);
  }
  return out + "}}";
}

void reply_status(Exchange& exchange, int status, const Error& error, std::vector<Header> headers) {
  if (exchange.cancelled() == Cancelled::client_gone) return;
  const bool ollama = speaks_ollama(exchange.request());
  std::string body = ollama ? ollama_body(error) : error_body(status, error);
  if (exchange.replied()) return ollama ? exchange.send_line(body) : exchange.send_event("", body);
  if (status == 429 || status == 503) headers.push_back({"retry-after", "1"});
  exchange.reply(status, "application/json", std::move(body), std::move(headers));
}

void reply_error(Exchange& exchange, const Error& error) {
  reply_status(exchange, http_status(error), error);
}

}  // namespace pensieve::server
