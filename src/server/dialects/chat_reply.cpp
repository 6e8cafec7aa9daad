// See chat_reply.h.
#include "server/dialects/chat_reply.h"

#include <variant>

#include "server/dialects/token_logprobs.h"

namespace pensieve::server {
namespace {

// "tool_calls":[…]
void append_calls(const std::vector<ToolCall>& calls, std::string& out) {
  out += "\"tool_calls\":[";
  for (std::size_t i = 0; i < calls.size(); ++i) {
    out += i > 0 ? ",{\"id\":" : "{\"id\":";
    append_string(calls[i].id, out);
    out += R"(,"type":"function","function":{"name":)";
    append_string(calls[i].name, out);
    out += ",\"arguments\":";
    append_string(calls[i].arguments, out);
    out += "}}";
  }
  out += ']';
}

}  // namespace

void add_call_piece(const ToolCallDelta& delta, std::vector<ToolCall>& calls) {
  const auto index = static_cast<std::size_t>(delta.index);
  if (index >= calls.size()) calls.resize(index + 1);
  ToolCall& call = calls[index];
  if (!delta.name.empty()) {
    call.id = delta.id;
    call.name = delta.name;
  }
  call.arguments += delta.arguments;
}

ChatDocument::ChatDocument(const Call& call, ReplyHead head)
    : head_(std::move(head)),
      logprobs_(call.generation.top_logprobs >= 0),
      choices_(static_cast<std::size_t>(call.generation.choices)) {}

void ChatDocument::receive(std::size_t, ReplyEvent& event) {
  Choice& choice = choices_[static_cast<std::size_t>(event.choice)];
  if (const auto* delta = std::get_if<TextDelta>(&event.what)) {
    (delta->reasoning ? choice.reasoning : choice.content) += delta->text;
    if (logprobs_) append_logprobs(delta->logprobs, choice.logprobs);
  } else if (const auto* call = std::get_if<ToolCallDelta>(&event.what)) {
    add_call_piece(*call, choice.calls);
  } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
    choice.reason = finished->reason;
    usage_.add(0, *finished);
  }
}

std::string ChatDocument::text() const {
  std::string out;
  append_reply_head(head_, "chat.completion", out);
  out += ",\"choices\":[";
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    const Choice& choice = choices_[i];
    out += (i > 0 ? ",{\"index\":" : "{\"index\":") + std::to_string(i);
    out += R"(,"message":{"role":"assistant","content":)";
    if (choice.content.empty() && !choice.calls.empty()) {
      out += "null";
    } else {
      append_string(choice.content, out);
    }
    out += ",\"refusal\":null";
    if (!choice.reasoning.empty()) {
      out += ",\"reasoning_content\":";
      append_string(choice.reasoning, out);
    }
    if (!choice.calls.empty()) {
      out += ',';
      append_calls(choice.calls, out);
    }
    out += "},\"logprobs\":";
    out += logprobs_ ? "{\"content\":[" + choice.logprobs + "],\"refusal\":null}" : "null";
    out += ",\"finish_reason\":";
    append_string(finish_name(choice.reason), out);
    out += '}';
  }
  out += "],\"usage\":";
  usage_.append_usage(out);
  out += ",\"timings\":";
  usage_.append_timings(out);
  return out + "}";
}

ChatStream::ChatStream(const Call& call, ReplyHead head, Exchange& exchange)
    : exchange_(exchange),
      logprobs_(call.generation.top_logprobs >= 0),
      include_usage_(call.include_usage),
      timings_per_token_(call.timings_per_token),
      open_(call.generation.choices) {
  append_reply_head(head, "chat.completion.chunk", front_);
  front_ += ",\"choices\":[";
}

void ChatStream::send(std::int32_t choice, std::string_view delta, std::string_view logprobs,
                      std::string_view finish_reason, std::string_view extra) {
  chunk_ = front_;
  chunk_ += "{\"index\":";
  chunk_ += std::to_string(choice);
  chunk_ += ",\"delta\":";
  chunk_ += delta;
  chunk_ += ",\"logprobs\":";
  chunk_ += logprobs;
  chunk_ += ",\"finish_reason\":";
  chunk_ += finish_reason;
  chunk_ += include_usage_ ? "}],\"usage\":null" : "}]";
  chunk_ += extra;
  if (timings_per_token_ && extra.empty()) append_progress();
  chunk_ += '}';
  exchange_.send_event("", chunk_);
}

void ChatStream::measure(const ReplyEvent& event) {
  if (const auto* started = std::get_if<Started>(&event.what)) {
    if (started_ != Clock::time_point{}) return;
    started_ = Clock::now();
    so_far_.prompt_tokens = started->prompt_tokens;
    so_far_.cached_tokens = started->cached_tokens;
  } else if (const auto* delta = std::get_if<TextDelta>(&event.what)) {
    if (first_ == Clock::time_point{}) first_ = Clock::now();
    so_far_.completion_tokens += delta->tokens;
  }
}

// Measured here, as the model tells its own times only at the end.
void ChatStream::append_progress() {
  if (first_ == Clock::time_point{}) return;
  using Milliseconds = std::chrono::duration<double, std::milli>;
  chunk_ += ",\"timings\":";
  append_timings(so_far_,
                 {0, Milliseconds(first_ - started_).count(), Milliseconds(Clock::now() - first_).count()},
                 chunk_);
}

void ChatStream::send_text(std::int32_t choice, const TextDelta& delta) {
  if (delta.text.empty() && delta.logprobs.empty()) return;
  std::string body = delta.reasoning ? "{\"reasoning_content\":" : "{\"content\":";
  append_string(delta.text, body);
  body += '}';
  std::string logprobs = "null";
  if (logprobs_ && !delta.logprobs.empty()) {
    logprobs.clear();
    append_logprobs(delta.logprobs, logprobs);
    logprobs = "{\"content\":[" + logprobs + "],\"refusal\":null}";
  }
  send(choice, body, logprobs, "null");
}

void ChatStream::send_call(std::int32_t choice, const ToolCallDelta& delta) {
  std::string body = "{\"tool_calls\":[{\"index\":" + std::to_string(delta.index);
  if (!delta.name.empty()) {
    body += ",\"id\":";
    append_string(delta.id, body);
    body += R"(,"type":"function","function":{"name":)";
    append_string(delta.name, body);
    body += R"(,"arguments":""}}]})";
    send(choice, body, "null", "null");
    if (delta.arguments.empty()) return;
    body = "{\"tool_calls\":[{\"index\":" + std::to_string(delta.index);
  }
  body += R"(,"function":{"arguments":)";
  append_string(delta.arguments, body);
  body += "}}]}";
  send(choice, body, "null", "null");
}

void ChatStream::receive(std::size_t, ReplyEvent& event) {
  if (timings_per_token_) measure(event);
  if (std::holds_alternative<Started>(event.what)) {
    send(event.choice, R"({"role":"assistant","content":""})", "null", "null");
  } else if (const auto* delta = std::get_if<TextDelta>(&event.what)) {
    send_text(event.choice, *delta);
  } else if (const auto* call = std::get_if<ToolCallDelta>(&event.what)) {
    send_call(event.choice, *call);
  } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
    usage_.add(0, *finished);
    std::string reason, timings;
    append_string(finish_name(finished->reason), reason);
    if (--open_ == 0) {
      timings = ",\"timings\":";
      usage_.append_timings(timings);
    }
    send(event.choice, "{}", "null", reason, timings);
  }
}

void ChatStream::finish() {
  if (include_usage_) {
    chunk_ = front_ + "],\"usage\":";
    usage_.append_usage(chunk_);
    chunk_ += '}';
    exchange_.send_event("", chunk_);
  }
  exchange_.send_event("", "[DONE]");
}

}  // namespace pensieve::server
