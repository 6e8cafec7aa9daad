// See ollama_reply.h. Forms: Ollama's API documentation.
#include "server/dialects/ollama_reply.h"

#include <fmt/format.h>

#include <ctime>
#include <iterator>
#include <variant>

#include "server/dialects/chat_reply.h"
#include "server/dialects/reply_parts.h"
#include "util/json.h"

namespace pensieve::server {
namespace {

void append_logprob_entry(std::string_view token, float logprob, std::string& out) {
  out += "{\"token\":";
  append_string(token, out);
  out += ",\"logprob\":";
  append_logprob(logprob, out);
  out += ",\"bytes\":[";
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(static_cast<unsigned char>(token[i]));
  }
  out += ']';
}

void append_logprobs(const std::vector<TokenLogprob>& tokens, std::string& out) {
  for (const TokenLogprob& entry : tokens) {
    if (!out.empty()) out += ',';
    append_logprob_entry(entry.bytes, entry.logprob, out);
    out += ",\"top_logprobs\":[";
    for (std::size_t i = 0; i < entry.top.size(); ++i) {
      if (i > 0) out += ',';
      append_logprob_entry(entry.top[i].bytes, entry.top[i].logprob, out);
      out += '}';
    }
    out += "]}";
  }
}

// Arguments are an object here. Those of a call that was cut off are no JSON: such a call is left out, and
// done_reason says "length".
void append_calls(const std::vector<ToolCall>& calls, std::size_t before, std::string& out) {
  bool first = true;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const auto arguments = util::parse_json(calls[i].arguments);
    if (!arguments || !arguments->is_object()) continue;
    out += first ? ",\"tool_calls\":[{" : ",{";
    first = false;
    if (!calls[i].id.empty()) {
      out += "\"id\":";
      append_string(calls[i].id, out);
      out += ',';
    }
    out += "\"function\":{\"index\":" + std::to_string(before + i) + ",\"name\":";
    append_string(calls[i].name, out);
    out += ",\"arguments\":" + calls[i].arguments + "}}";
  }
  if (!first) out += ']';
}

void append_head(const OllamaHead& head, std::string& out) {
  out += "{\"model\":";
  append_string(head.model, out);
  out += ",\"created_at\":\"" + ollama_time(std::chrono::system_clock::now()) + '"';
}

std::int64_t nanoseconds(double milliseconds) {
  return static_cast<std::int64_t>(milliseconds * 1e6);
}

std::int64_t since(std::chrono::steady_clock::time_point began) {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

std::string ollama_time(std::chrono::system_clock::time_point time) {
  const auto count = std::chrono::nanoseconds(time.time_since_epoch()).count();
  const std::time_t seconds = count / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, count % 1'000'000'000);
}

std::string ollama_load_text(const OllamaHead& head, std::string_view done_reason) {
  std::string out;
  append_head(head, out);
  out += head.chat ? R"(,"message":{"role":"assistant","content":""},"done":true,"done_reason":)"
                   : R"(,"response":"","done":true,"done_reason":)";
  append_string(done_reason, out);
  return out + "}";
}

void OllamaReply::append_part(const Part& part, std::string& out) const {
  if (head_.chat) {
    out += R"(,"message":{"role":"assistant","content":)";
    append_string(part.content, out);
  } else {
    out += ",\"response\":";
    append_string(part.content, out);
  }
  if (!part.thinking.empty()) {
    out += ",\"thinking\":";
    append_string(part.thinking, out);
  }
  append_calls(part.calls, calls_sent_, out);
  if (head_.chat) out += '}';
  if (logprobs_ && !part.logprobs.empty()) out += ",\"logprobs\":[" + part.logprobs + ']';
}

void OllamaReply::send_part() {
  std::string line;
  append_head(head_, line);
  append_part(part_, line);
  line += ",\"done\":false}";
  exchange_.send_line(line);
  calls_sent_ += part_.calls.size();
  part_ = {};
}

// A call goes out whole, so it waits until the next one begins or the answer ends.
void OllamaReply::take_call(const ToolCallDelta& delta) {
  if (!delta.name.empty()) {
    if (streamed_ && call_open_) send_part();
    part_.calls.push_back({delta.id, delta.name, {}});
    call_open_ = true;
  }
  if (!part_.calls.empty()) part_.calls.back().arguments += delta.arguments;
}

void OllamaReply::receive(std::size_t, ReplyEvent& event) {
  if (auto* delta = std::get_if<TextDelta>(&event.what)) {
    if (streamed_ && call_open_) send_part();
    call_open_ = false;
    (delta->reasoning ? part_.thinking : part_.content) += delta->text;
    if (logprobs_) append_logprobs(delta->logprobs, part_.logprobs);
    const bool empty = delta->text.empty() && part_.logprobs.empty();
    if (streamed_ && !empty) send_part();
  } else if (const auto* call = std::get_if<ToolCallDelta>(&event.what)) {
    take_call(*call);
  } else if (auto* finished = std::get_if<Finished>(&event.what)) {
    if (streamed_ && call_open_) send_part();
    finished_ = std::move(*finished);
  }
}

void OllamaReply::finish() {
  std::string out;
  append_head(head_, out);
  append_part(part_, out);
  fmt::format_to(
      std::back_inserter(out),
      R"(,"done":true,"done_reason":"{}","total_duration":{},"load_duration":{},"prompt_eval_count":{},)"
      R"("prompt_eval_duration":{},"eval_count":{},"eval_duration":{}}})",
      finished_.reason == FinishReason::length ? "length" : "stop", since(head_.began), head_.load.count(),
      finished_.usage.prompt_tokens, nanoseconds(finished_.timings.prompt), finished_.usage.completion_tokens,
      nanoseconds(finished_.timings.predict));
  if (streamed_) {
    exchange_.send_line(out);
  } else {
    exchange_.reply(200, "application/json", std::move(out));
  }
}

}  // namespace pensieve::server
