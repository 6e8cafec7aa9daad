// The JSON of the WebSocket protocol: what clients send, and the events they get. Not the frames around it:
// websocket/frames.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/dialects/fields.h"
#include "server/streams/stream_event.h"

namespace pensieve::server {

struct ClientEvent {
  enum class Kind : std::uint8_t { create, cancel, resume };
  Kind kind = Kind::create;
  std::string id;                // of the generation, 1 to 256 bytes
  bool resumable = false;        // create: keep the events for a while
  std::uint64_t after = 0;       // resume: sequence of the last event seen
  Json body;                     // create: the fields of a chat completion
  std::optional<Error> refusal;  // create: what is wrong with its own fields; it is told under its id
};

// Errors have the reasons invalid_json, invalid_request, unknown_event.
Result<ClientEvent> read_client_event(std::string_view text);

// {"type":…,"event_id":…,"id":…,"sequence":…, …}
void append_stream_event(std::string_view event_id, std::string_view id, const StreamEvent& event,
                         std::string& out);
// An error about no generation: id null, sequence 0.
void append_stray_error(std::string_view event_id, const Error& error, std::string& out);

// "stop", "length", "tool_calls" or "cancelled".
std::string_view stream_finish_name(FinishReason reason);

}  // namespace pensieve::server
