// See reply_parts.h.
#include "server/dialects/reply_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "server/random_id.h"
#include "server/wall_clock.h"
#include "util/json.h"

namespace pensieve::server {

std::string_view version_text() {
  return "pensieve-" PENSIEVE_VERSION;
}

ReplyHead make_reply_head(std::string_view id_prefix, std::string_view model) {
  return {random_id(id_prefix), seconds_now(), std::string(model), {}};
}

void append_reply_head(const ReplyHead& head, std::string_view object, std::string& out) {
  out += "{\"id\":";
  append_string(head.id, out);
  out += ",\"object\":";
  append_string(object, out);
  out += ",\"created\":" + std::to_string(head.created) + ",\"model\":";
  append_string(head.model, out);
  out += ",\"system_fingerprint\":";
  append_string(version_text(), out);
  if (head.session_id.empty()) return;
  out += ",\"session_id\":";
  append_string(head.session_id, out);
}

void append_string(std::string_view text, std::string& out) {
  out += '"';
  util::json_escape(text, out);
  out += '"';
}

void append_logprob(float value, std::string& out) {
  if (std::isfinite(value)) {
    fmt::format_to(std::back_inserter(out), "{}", value);
  } else {
    out += "-9999.0";
  }
}

std::string_view finish_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::length:
      return "length";
    case FinishReason::tool_calls:
      return "tool_calls";
    case FinishReason::stop:
    case FinishReason::cancelled:
      return "stop";
  }
  return "stop";
}

void UsageSum::add(std::size_t generation, const Finished& finished) {
  if (!seen_[generation]) {
    seen_[generation] = true;
    total_.prompt_tokens += finished.usage.prompt_tokens;
    total_.cached_tokens += finished.usage.cached_tokens;
  }
  total_.completion_tokens += finished.usage.completion_tokens;
  total_.reasoning_tokens += finished.usage.reasoning_tokens;
  slowest_.prompt = std::max(slowest_.prompt, finished.timings.prompt);
  slowest_.predict = std::max(slowest_.predict, finished.timings.predict);
}

void UsageSum::append_usage(std::string& out) const {
  fmt::format_to(
      std::back_inserter(out),
      R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":{}}},)"
      R"("completion_tokens_details":{{"reasoning_tokens":{}}}}})",
      total_.prompt_tokens, total_.completion_tokens, total_.prompt_tokens + total_.completion_tokens,
      total_.cached_tokens, total_.reasoning_tokens);
}

void append_timings(const Usage& usage, const Timings& timings, std::string& out) {
  constexpr double kLeast = 1e-3;  // a clock too coarse must not turn into an infinite rate
  const auto read = static_cast<double>(usage.prompt_tokens - usage.cached_tokens);
  const auto made = static_cast<double>(usage.completion_tokens);
  const double prompt = std::max(kLeast, timings.prompt);
  const double predict = std::max(kLeast, timings.predict);
  fmt::format_to(
      std::back_inserter(out),
      R"({{"cache_n":{},"prompt_n":{},"prompt_ms":{:.3f},"prompt_per_token_ms":{:.3f},"prompt_per_second":{:.3f},)"
      R"("predicted_n":{},"predicted_ms":{:.3f},"predicted_per_token_ms":{:.3f},"predicted_per_second":{:.3f}}})",
      usage.cached_tokens, usage.prompt_tokens - usage.cached_tokens, prompt, prompt / std::max(read, 1.0),
      1000 * read / prompt, usage.completion_tokens, predict, predict / std::max(made, 1.0),
      1000 * made / predict);
}

}  // namespace pensieve::server
