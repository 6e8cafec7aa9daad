// The events of a streamed answer, in the order that the OpenAI API reference gives ("Streaming events"): an
// item is closed before the next one opens, and sequence numbers grow by one.
#include <utility>

#include "server/dialects/errors.h"
#include "server/dialects/reply_parts.h"
#include "server/dialects/response_reply.h"
#include "server/dialects/token_logprobs.h"

namespace pensieve::server {

void ResponseReply::start_event(std::string_view type) {
  type_ = type;
  event_ = "{\"type\":\"";
  event_ += type;
  event_ += "\",\"sequence_number\":";
  event_ += std::to_string(sequence_++);
}

void ResponseReply::start_item_event(std::string_view type, const ResponseItem& item) {
  start_event(type);
  event_ += ",\"item_id\":";
  append_string(item.id, event_);
  event_ += ",\"output_index\":";
  event_ += std::to_string(items_.size() - 1);
  if (item.kind != Kind::call)
    event_ += item.kind == Kind::reasoning && summary_ ? ",\"summary_index\":0" : ",\"content_index\":0";
}

void ResponseReply::send_started() {
  for (const std::string_view type : {"response.created", "response.in_progress"}) {
    start_event(type);
    event_ += ",\"response\":";
    append_response("in_progress", nullptr, event_);
    event_ += '}';
    events_->send_event(type_, event_);
  }
}

void ResponseReply::send_opening(const ResponseItem& item) {
  start_event("response.output_item.added");
  event_ += ",\"output_index\":" + std::to_string(items_.size() - 1) + ",\"item\":";
  append_item(item, true, event_);
  event_ += '}';
  events_->send_event(type_, event_);
  if (item.kind == Kind::call || (item.kind == Kind::reasoning && !summary_)) return;
  start_item_event(
      item.kind == Kind::message ? "response.content_part.added" : "response.reasoning_summary_part.added",
      item);
  event_ += ",\"part\":";
  append_part(item, true, event_);
  event_ += '}';
  events_->send_event(type_, event_);
}

void ResponseReply::send_closing(const ResponseItem& item) {
  switch (item.kind) {
    case Kind::message:
      start_item_event("response.output_text.done", item);
      event_ += ",\"logprobs\":[" + item.logprobs + "],\"text\":";
      break;
    case Kind::reasoning:
      start_item_event(summary_ ? "response.reasoning_summary_text.done" : "response.reasoning_text.done",
                       item);
      event_ += ",\"text\":";
      break;
    case Kind::call:
      start_item_event("response.function_call_arguments.done", item);
      event_ += ",\"name\":";
      append_string(item.name, event_);
      event_ += ",\"arguments\":";
      break;
  }
  append_string(item.text, event_);
  event_ += '}';
  events_->send_event(type_, event_);
  if (item.kind == Kind::message || (item.kind == Kind::reasoning && summary_)) {
    start_item_event(
        item.kind == Kind::message ? "response.content_part.done" : "response.reasoning_summary_part.done",
        item);
    event_ += ",\"part\":";
    append_part(item, false, event_);
    event_ += '}';
    events_->send_event(type_, event_);
  }
  start_event("response.output_item.done");
  event_ += ",\"output_index\":" + std::to_string(items_.size() - 1) + ",\"item\":";
  append_item(item, false, event_);
  event_ += '}';
  events_->send_event(type_, event_);
}

void ResponseReply::add_text(const TextDelta& delta) {
  std::string entries;
  if (logprobs_ && !delta.reasoning) append_logprobs(delta.logprobs, entries);
  const Kind kind = delta.reasoning ? Kind::reasoning : Kind::message;
  const bool goes_on = is_open_ && items_.back().kind == kind;
  if (!goes_on && delta.text.empty()) {
    if (!entries.empty()) waiting_logprobs_ += (waiting_logprobs_.empty() ? "" : ",") + entries;
    return;
  }
  if (delta.text.empty() && entries.empty()) return;
  if (!goes_on) {
    ResponseItem& opened = open(kind, kind == Kind::message ? "msg_" : "rs_");
    if (events_) send_opening(opened);
  }
  ResponseItem& item = items_.back();
  if (kind == Kind::message && !waiting_logprobs_.empty()) {
    std::string waited = std::exchange(waiting_logprobs_, {});
    entries = entries.empty() ? std::move(waited) : waited + "," + entries;
  }
  item.text += delta.text;
  if (!entries.empty()) item.logprobs += (item.logprobs.empty() ? "" : ",") + entries;
  if (events_ == nullptr) return;
  if (kind == Kind::message) {
    start_item_event("response.output_text.delta", item);
  } else {
    start_item_event(summary_ ? "response.reasoning_summary_text.delta" : "response.reasoning_text.delta",
                     item);
  }
  event_ += ",\"delta\":";
  append_string(delta.text, event_);
  if (kind == Kind::message) event_ += ",\"logprobs\":[" + entries + ']';
  event_ += '}';
  events_->send_event(type_, event_);
}

void ResponseReply::add_call(const ToolCallDelta& delta) {
  if (!delta.name.empty()) {
    ResponseItem& item = open(Kind::call, "fc_");
    item.call_id = delta.id;
    item.name = delta.name;
    if (events_) send_opening(item);
  }
  if (delta.arguments.empty() || !is_open_ || items_.back().kind != Kind::call) return;
  ResponseItem& item = items_.back();
  item.text += delta.arguments;
  if (events_ == nullptr) return;
  start_item_event("response.function_call_arguments.delta", item);
  event_ += ",\"delta\":";
  append_string(delta.arguments, event_);
  event_ += '}';
  events_->send_event(type_, event_);
}

void ResponseReply::send_end() {
  if (events_ == nullptr) return;
  const bool cut = finished_.reason == FinishReason::length;
  start_event(cut ? "response.incomplete" : "response.completed");
  event_ += ",\"response\":" + document() + '}';
  events_->send_event(type_, event_);
}

void ResponseReply::send_failure(const Error& error) {
  if (events_ == nullptr) return;
  stored_ = false;
  close("incomplete");
  start_event("error");
  event_ += ",\"code\":";
  append_string(error.reason.empty() ? error_type(http_status(error)) : std::string_view(error.reason),
                event_);
  event_ += ",\"message\":";
  append_string(error.what, event_);
  event_ += ",\"param\":";
  if (error.field.empty()) {
    event_ += "null";
  } else {
    append_string(error.field, event_);
  }
  event_ += '}';
  events_->send_event(type_, event_);
  start_event("response.failed");
  event_ += ",\"response\":";
  append_response("failed", &error, event_);
  event_ += '}';
  events_->send_event(type_, event_);
}

}  // namespace pensieve::server
