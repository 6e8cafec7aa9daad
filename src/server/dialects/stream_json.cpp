// See stream_json.h.
#include "server/dialects/stream_json.h"

#include <fmt/format.h>

#include <array>

#include "server/dialects/errors.h"
#include "server/dialects/reply_parts.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kIdBytes = 256;

struct Type {
  std::string_view name;
  ClientEvent::Kind kind;
};
constexpr std::array kTypes{
    Type{"generate.create", ClientEvent::Kind::create},
    Type{"generate.cancel", ClientEvent::Kind::cancel},
    Type{"session.resume", ClientEvent::Kind::resume},
};

tl::unexpected<Error> refuse(std::string what, std::string field, std::string reason = "invalid_request") {
  return fail(Error::Code::invalid, std::move(what), std::move(field), std::move(reason));
}

Result<ClientEvent::Kind> read_kind(const Json& event) {
  const Json* type = find_field(event, "type");
  constexpr std::string_view kKnown = "generate.create, generate.cancel or session.resume";
  if (type == nullptr || !type->is_string()) {
    return refuse(fmt::format("type is missing: {}", kKnown), "type");
  }
  for (const Type& known : kTypes) {
    if (type->get_ref<const std::string&>() == known.name) return known.kind;
  }
  return refuse(
      fmt::format("type '{}' is unknown: {}", type->get_ref<const std::string&>().substr(0, 60), kKnown),
      "type", "unknown_event");
}

Result<std::string> read_id(const Json& event) {
  const Json* id = find_field(event, "id");
  if (id == nullptr) return refuse("id is missing: a string that names the generation", "id");
  if (!id->is_string() || id->get_ref<const std::string&>().empty() ||
      id->get_ref<const std::string&>().size() > kIdBytes) {
    return refuse(fmt::format("id must be a string of 1 to {} bytes", kIdBytes), "id");
  }
  return id->get<std::string>();
}

void append_error(const Error& error, std::string& out) {
  const std::string body = error_body(http_status(error), error);
  out += ',';
  out += std::string_view(body).substr(1);  // "error":{…}}
}

void append_call(const ToolCallDelta& call, std::string& out) {
  fmt::format_to(std::back_inserter(out), ",\"index\":{}", call.index);
  if (!call.id.empty()) {
    out += ",\"call_id\":";
    append_string(call.id, out);
    out += ",\"name\":";
    append_string(call.name, out);
  }
  out += ",\"arguments\":";
  append_string(call.arguments, out);
  out += '}';
}

void append_done(const StreamDone& done, std::string& out) {
  out += ",\"finish_reason\":";
  append_string(stream_finish_name(done.reason), out);
  UsageSum usage(1);
  usage.add(0, Finished{done.reason, {}, done.usage, {}});
  out += ",\"usage\":";
  usage.append_usage(out);
  out += '}';
}

std::string_view type_of(const StreamEvent& event) {
  if (std::holds_alternative<StreamCreated>(event.what)) return "generation.created";
  if (const auto* text = std::get_if<StreamText>(&event.what))
    return text->reasoning ? "reasoning.delta" : "message.delta";
  if (std::holds_alternative<ToolCallDelta>(event.what)) return "tool_call.delta";
  return std::holds_alternative<StreamDone>(event.what) ? "generation.done" : "error";
}

}  // namespace

Result<ClientEvent> read_client_event(std::string_view text) {
  auto json = util::parse_json(text);
  if (!json) return refuse("the message is " + json.error().what, {}, "invalid_json");
  if (!json->is_object()) return refuse("the message must be a JSON object", {});
  const auto kind = read_kind(*json);
  if (!kind) return tl::unexpected(kind.error());
  auto id = read_id(*json);
  if (!id) return tl::unexpected(id.error());
  ClientEvent event{*kind, std::move(*id), false, 0, {}, {}};
  if (event.kind == ClientEvent::Kind::resume) {
    const Json* after = find_field(*json, "after");
    if (after != nullptr && !after->is_number_unsigned())
      return refuse("after must be the sequence of the last event seen; 0: from the start", "after");
    if (after != nullptr) event.after = after->get<std::uint64_t>();
  }
  if (event.kind != ClientEvent::Kind::create) return event;
  if (const Json* resumable = find_field(*json, "resumable")) {
    if (resumable->is_boolean()) {
      event.resumable = resumable->get<bool>();
    } else {
      event.refusal = wrong_field("resumable", "true or false", *resumable).value();
    }
  }
  for (const char* ours : {"type", "id", "event_id", "resumable", "stream", "stream_options"})
    json->erase(ours);
  event.body = std::move(*json);
  return event;
}

void append_stream_event(std::string_view event_id, std::string_view id, const StreamEvent& event,
                         std::string& out) {
  out += "{\"type\":";
  append_string(type_of(event), out);
  out += ",\"event_id\":";
  append_string(event_id, out);
  out += ",\"id\":";
  append_string(id, out);
  fmt::format_to(std::back_inserter(out), ",\"sequence\":{}", event.sequence);
  if (const auto* created = std::get_if<StreamCreated>(&event.what)) {
    out += ",\"model\":";
    append_string(created->model, out);
    fmt::format_to(std::back_inserter(out), ",\"created\":{}}}", created->created);
  } else if (const auto* text = std::get_if<StreamText>(&event.what)) {
    out += ",\"delta\":";
    append_string(text->text, out);
    out += '}';
  } else if (const auto* call = std::get_if<ToolCallDelta>(&event.what)) {
    append_call(*call, out);
  } else if (const auto* done = std::get_if<StreamDone>(&event.what)) {
    append_done(*done, out);
  } else {
    append_error(std::get<Error>(event.what), out);
  }
}

void append_stray_error(std::string_view event_id, const Error& error, std::string& out) {
  out += "{\"type\":\"error\",\"event_id\":";
  append_string(event_id, out);
  out += ",\"id\":null,\"sequence\":0";
  append_error(error, out);
}

std::string_view stream_finish_name(FinishReason reason) {
  return reason == FinishReason::cancelled ? "cancelled" : finish_name(reason);
}

}  // namespace pensieve::server
