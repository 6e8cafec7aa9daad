// See messages_reply.h. Events and their order: the Messages API reference.
#include "server/dialects/messages_reply.h"

#include <fmt/format.h>

#include <iterator>
#include <variant>

#include "server/random_id.h"
#include "util/json.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kText = "text", kThinking = "thinking", kToolUse = "tool_use";

// Of a thinking block. Nobody here reads it again, but it must be there: clients take a block without one for
// unfinished and do not send it back.
std::string make_signature() {
  return random_id("", 43);
}

void append_stop(const Finished& finished, std::string& out) {
  out += "\"stop_reason\":";
  if (!finished.stop.empty()) {
    out += R"("stop_sequence","stop_sequence":)";
    append_string(finished.stop, out);
    return;
  }
  switch (finished.reason) {
    case FinishReason::length:
      out += "\"max_tokens\"";
      break;
    case FinishReason::tool_calls:
      out += "\"tool_use\"";
      break;
    case FinishReason::stop:
    case FinishReason::cancelled:
      out += "\"end_turn\"";
      break;
  }
  out += ",\"stop_sequence\":null";
}

// Nothing is ever written to the cache at a price of its own: what was not read from it counts as input.
void append_usage(const Usage& usage, std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 R"({{"input_tokens":{},"cache_creation_input_tokens":0,"cache_read_input_tokens":{},)"
                 R"("output_tokens":{},"output_tokens_details":{{"thinking_tokens":{}}}}})",
                 usage.prompt_tokens - usage.cached_tokens, usage.cached_tokens, usage.completion_tokens,
                 usage.reasoning_tokens);
}

// Up to the content.
void append_head(const ReplyHead& head, std::string& out) {
  out += "{\"id\":";
  append_string(head.id, out);
  out += R"(,"type":"message","role":"assistant","model":)";
  append_string(head.model, out);
  out += ",\"content\":[";
}

}  // namespace

MessageDocument::Block& MessageDocument::block(std::string_view type, std::int32_t call) {
  if (blocks_.empty() || blocks_.back().type != type || blocks_.back().call != call)
    blocks_.push_back({type, call, {}, {}, {}});
  return blocks_.back();
}

void MessageDocument::receive(std::size_t, ReplyEvent& event) {
  if (const auto* delta = std::get_if<TextDelta>(&event.what)) {
    if (!delta->text.empty()) block(delta->reasoning ? kThinking : kText, -1).text += delta->text;
  } else if (const auto* piece = std::get_if<ToolCallDelta>(&event.what)) {
    Block& use = block(kToolUse, piece->index);
    use.name += piece->name;
    use.text += piece->arguments;
    if (use.id.empty()) use.id = random_id("toolu_");
  } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
    finished_ = *finished;
  }
}

void MessageDocument::append_block(const Block& entry, std::string& out) const {
  out += "{\"type\":";
  append_string(entry.type, out);
  if (entry.type == kToolUse) {
    out += ",\"id\":";
    append_string(entry.id, out);
    out += ",\"name\":";
    append_string(entry.name, out);
    // As it was written. A call that the limit cut is no object, and its text would break the reply.
    const auto input = util::parse_json(entry.text);
    out += ",\"input\":" + (input && input->is_object() ? entry.text : std::string("{}"));
  } else if (entry.type == kThinking) {
    out += ",\"thinking\":";
    append_string(show_thinking_ ? std::string_view(entry.text) : std::string_view(), out);
    out += ",\"signature\":";
    append_string(make_signature(), out);
  } else {
    out += ",\"text\":";
    append_string(entry.text, out);
  }
  out += '}';
}

std::string MessageDocument::text() const {
  std::string out;
  append_head(head_, out);
  for (const Block& entry : blocks_) {
    if (&entry != &blocks_.front()) out += ',';
    append_block(entry, out);
  }
  out += "],";
  append_stop(finished_, out);
  out += ",\"usage\":";
  append_usage(finished_.usage, out);
  return out + "}";
}

void MessageStream::start(const Started& started) {
  data_ = R"({"type":"message_start","message":)";
  append_head(head_, data_);
  data_ += R"(],"stop_reason":null,"stop_sequence":null,"usage":)";
  append_usage({started.prompt_tokens, started.cached_tokens, 0, 0}, data_);
  data_ += "}}";
  exchange_.send_event("message_start", data_);
  exchange_.send_event("ping", R"({"type":"ping"})");
}

void MessageStream::close() {
  if (open_.empty()) return;
  if (open_ == kThinking) delta("signature_delta", "signature", make_signature());
  open_ = {};
  data_ = R"({"type":"content_block_stop","index":)" + std::to_string(index_) + "}";
  exchange_.send_event("content_block_stop", data_);
}

// `head`: the members of the new block after its type.
void MessageStream::open(std::string_view type, std::int32_t call, std::string_view head) {
  if (open_ == type && call_ == call) return;
  close();
  open_ = type;
  call_ = call;
  data_ = R"({"type":"content_block_start","index":)" + std::to_string(++index_) +
          ",\"content_block\":{\"type\":";
  append_string(type, data_);
  data_ += head;
  data_ += "}}";
  exchange_.send_event("content_block_start", data_);
}

void MessageStream::delta(std::string_view type, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  data_ = R"({"type":"content_block_delta","index":)" + std::to_string(index_) + ",\"delta\":{\"type\":";
  append_string(type, data_);
  data_ += ',';
  append_string(key, data_);
  data_ += ':';
  append_string(text, data_);
  data_ += "}}";
  exchange_.send_event("content_block_delta", data_);
}

void MessageStream::take_text(const TextDelta& text) {
  if (text.text.empty()) return;
  if (!text.reasoning) {
    open(kText, -1, R"(,"text":"")");
    return delta("text_delta", "text", text.text);
  }
  open(kThinking, -1, R"(,"thinking":"","signature":"")");
  if (show_thinking_) delta("thinking_delta", "thinking", text.text);
}

void MessageStream::take_call(const ToolCallDelta& piece) {
  if (open_ != kToolUse || call_ != piece.index) {
    std::string head = ",\"id\":";
    append_string(random_id("toolu_"), head);
    head += ",\"name\":";
    append_string(piece.name, head);
    open(kToolUse, piece.index, head + ",\"input\":{}");
  }
  delta("input_json_delta", "partial_json", piece.arguments);
}

void MessageStream::finish(const Finished& finished) {
  usage_ = finished.usage;
  close();
  data_ = R"({"type":"message_delta","delta":{)";
  append_stop(finished, data_);
  data_ += "},\"usage\":";
  append_usage(usage_, data_);
  data_ += '}';
  exchange_.send_event("message_delta", data_);
  exchange_.send_event("message_stop", R"({"type":"message_stop"})");
}

void MessageStream::receive(std::size_t, ReplyEvent& event) {
  if (const auto* started = std::get_if<Started>(&event.what)) {
    start(*started);
  } else if (const auto* text = std::get_if<TextDelta>(&event.what)) {
    take_text(*text);
  } else if (const auto* piece = std::get_if<ToolCallDelta>(&event.what)) {
    take_call(*piece);
  } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
    finish(*finished);
  }
}

}  // namespace pensieve::server
