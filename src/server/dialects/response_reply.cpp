// Items and their documents. The events are in response_events.cpp.
#include "server/dialects/response_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <variant>

#include "server/dialects/reply_parts.h"
#include "server/dialects/response_items.h"
#include "server/dialects/token_logprobs.h"
#include "server/random_id.h"

namespace pensieve::server {
namespace {

std::int64_t seconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

// Members of a tree, to stand between others.
std::string inside(const Json& object) {
  const std::string text = util::to_json(object);
  return text.substr(1, text.size() - 2);
}

// The shortest text of the number: 0.7 and not what a float makes of it.
std::string number(float value) {
  return fmt::format("{}", value);
}

void append_member(std::string_view name, std::string_view text, std::string& out) {
  out += ",\"";
  out += name;
  out += "\":";
  append_string(text, out);
}

}  // namespace

ResponseReply::ResponseReply(const ResponseCall& call, std::string_view model, Exchange* events)
    : id_(random_id("resp_", 48)),
      created_at_(seconds_now()),
      summary_(call.summary),
      wrapped_(call.wrapped),
      logprobs_(call.call.generation.top_logprobs >= 0),
      cached_(call.call.generation.cache_prompt),
      stored_(call.store),
      events_(events) {
  head_ = "\"id\":";
  append_string(id_, head_);
  head_ += R"(,"object":"response","created_at":)" + std::to_string(created_at_);
  append_member("model", model, head_);
  const SamplingParams& sampling = call.call.generation.sampling;
  settings_ = inside(call.settings);
  settings_ += ",\"temperature\":" + number(sampling.temperature) + ",\"top_p\":" + number(sampling.top_p);
}

void ResponseReply::begin() {
  if (events_ == nullptr) return;
  events_->begin_events();
  send_started();
}

void ResponseReply::receive(std::size_t, ReplyEvent& event) {
  if (const auto* delta = std::get_if<TextDelta>(&event.what)) {
    add_text(*delta);
  } else if (const auto* call = std::get_if<ToolCallDelta>(&event.what)) {
    add_call(*call);
  } else if (auto* finished = std::get_if<Finished>(&event.what)) {
    finished_ = std::move(*finished);
    complete_ = true;
  }
}

void ResponseReply::finish() {
  const bool cut = finished_.reason == FinishReason::length;
  const bool answered = std::any_of(items_.begin(), items_.end(),
                                    [](const ResponseItem& item) { return item.kind != Kind::reasoning; });
  // Who has nothing to say says so: clients look for a message.
  if (!answered && (!cut || items_.empty())) {
    const ResponseItem& empty = open(Kind::message, "msg_");
    if (events_) send_opening(empty);
  }
  close(cut ? "incomplete" : "completed");
  completed_at_ = seconds_now();
}

ResponseItem& ResponseReply::open(Kind kind, const char* id_prefix) {
  close("completed");
  ResponseItem& item = items_.emplace_back();
  item.kind = kind;
  item.id = random_id(id_prefix, 48);
  is_open_ = true;
  return item;
}

void ResponseReply::close(std::string_view status) {
  if (!is_open_) return;
  is_open_ = false;
  items_.back().status = status;
  if (events_) send_closing(items_.back());
}

// A part of content: an item's only one. `empty`: as it is when it opens.
void ResponseReply::append_part(const ResponseItem& item, bool empty, std::string& out) const {
  if (item.kind == Kind::reasoning) {
    out += summary_ ? R"({"type":"summary_text","text":)" : R"({"type":"reasoning_text","text":)";
    append_string(empty ? "" : item.text, out);
    out += '}';
    return;
  }
  out += R"({"type":"output_text","text":)";
  append_string(empty ? "" : item.text, out);
  out += R"(,"annotations":[],"logprobs":[)";
  if (!empty) out += item.logprobs;
  out += "]}";
}

void ResponseReply::append_item(const ResponseItem& item, bool empty, std::string& out) const {
  out += "{\"id\":";
  append_string(item.id, out);
  append_member("status", empty ? "in_progress" : item.status, out);
  if (item.kind == Kind::call) {
    out += R"(,"type":"function_call")";
    append_member("call_id", item.call_id, out);
    append_member("name", item.name, out);
    append_member("arguments", empty ? "" : item.text, out);
    out += '}';
    return;
  }
  std::string part;
  if (!empty) append_part(item, false, part);
  if (item.kind == Kind::message) {
    out += R"(,"type":"message","role":"assistant","content":[)" + part + "]}";
    return;
  }
  out += R"(,"type":"reasoning","summary":[)" + (summary_ ? part : "") + ']';
  if (!summary_) out += ",\"content\":[" + part + ']';
  if (wrapped_) append_member("encrypted_content", wrap_reasoning(empty ? "" : item.text), out);
  out += '}';
}

void ResponseReply::append_response(std::string_view status, const Error* error, std::string& out) const {
  out += '{' + head_;
  append_member("status", status, out);
  out += ",\"completed_at\":" + (status == "completed" ? std::to_string(completed_at_) : "null");
  out += ",\"error\":";
  if (error) {
    out += R"({"code":"server_error","message":)";
    append_string(error->what, out);
    out += '}';
  } else {
    out += "null";
  }
  out += ",\"incomplete_details\":";
  out += status == "incomplete" ? R"({"reason":"max_output_tokens"})" : "null";
  out += ",\"output\":[";
  const bool begun = status != "in_progress";
  for (std::size_t i = 0; begun && i < items_.size(); ++i) {
    if (i > 0) out += ',';
    append_item(items_[i], false, out);
  }
  out += "],\"usage\":";
  if (begun && complete_) {
    const Usage& usage = finished_.usage;
    fmt::format_to(
        std::back_inserter(out),
        R"({{"input_tokens":{},"input_tokens_details":{{"cached_tokens":{},"cache_write_tokens":{}}},)"
        R"("output_tokens":{},"output_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":{}}})",
        usage.prompt_tokens, usage.cached_tokens, cached_ ? usage.prompt_tokens - usage.cached_tokens : 0,
        usage.completion_tokens, usage.reasoning_tokens, usage.prompt_tokens + usage.completion_tokens);
  } else {
    out += "null";
  }
  out += stored_ ? ",\"store\":true," : ",\"store\":false,";
  out += settings_ + '}';
}

std::string ResponseReply::document() const {
  std::string out;
  append_response(finished_.reason == FinishReason::length ? "incomplete" : "completed", nullptr, out);
  return out;
}

std::vector<std::string> ResponseReply::output() const {
  std::vector<std::string> bodies(items_.size());
  for (std::size_t i = 0; i < items_.size(); ++i) append_item(items_[i], false, bodies[i]);
  return bodies;
}

std::vector<std::string> ResponseReply::output_ids() const {
  std::vector<std::string> ids;
  for (const ResponseItem& item : items_) ids.push_back(item.id);
  return ids;
}

}  // namespace pensieve::server
