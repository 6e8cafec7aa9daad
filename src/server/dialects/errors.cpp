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

// Statuses and types: the Messages API reference.
std::string_view anthropic_type(int status) {
  if (status == 413) return "request_too_large";
  if (status == 503 || status == 529) return "overloaded_error";
  return status >= 500 ? "api_error" : error_type(status);
}

// Clients know an overflow by these words.
std::string anthropic_message(const Error& error) {
  std::int64_t tokens = 0, most = 0;
  for (const auto& number : error.numbers) {
    if (number.first == "n_prompt_tokens") tokens = number.second;
    if (number.first == "n_ctx") most = number.second;
  }
  if (error.reason != "context_length_exceeded" || tokens == 0) return error.what;
  return "prompt is too long: " + std::to_string(tokens) + " tokens > " + std::to_string(most) + " maximum";
}

std::string anthropic_body(int status, const Error& error, const std::string& request_id) {
  std::string out = R"({"type":"error","error":{"type":")";
  out += anthropic_type(status);
  out += R"(","message":")";
  util::json_escape(anthropic_message(error), out);
  out += R"("},"request_id":)";
  append_text_or_null(out, request_id);
  return out + "}";
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

bool speaks_anthropic(const Request& request) {
  constexpr std::string_view kPath = "/v1/messages";
  const std::string_view path = request.path;
  const bool named = path.starts_with(kPath) && (path.size() == kPath.size() || path[kPath.size()] == '/');
  return named || !request.header("anthropic-version").empty();
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
  const Request& request = exchange.request();
  const bool ollama = speaks_ollama(request);
  const bool anthropic = !ollama && speaks_anthropic(request);
  std::string body = ollama      ? ollama_body(error)
                     : anthropic ? anthropic_body(status, error, request.id)
                                 : error_body(status, error);
  if (exchange.replied())
    return ollama ? exchange.send_line(body) : exchange.send_event(anthropic ? "error" : "", body);
  if (status == 429 || status == 503) headers.push_back({"retry-after", "1"});
  if (anthropic && status == 503) status = 529;
  exchange.reply(status, "application/json", std::move(body), std::move(headers));
}

void reply_error(Exchange& exchange, const Error& error) {
  reply_status(exchange, http_status(error), error);
}

}  // namespace pensieve::server
