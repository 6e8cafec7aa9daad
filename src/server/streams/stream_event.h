// StreamEvent: the numbered events of one generation as WebSocket and gRPC send them. Not their wire forms:
// dialects/stream_json.h and grpc/.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "core/generation.h"
#include "core/result.h"

namespace pensieve::server {

struct StreamCreated {  // always first, unless the generation is refused
  std::string model;
  std::int64_t created = 0;  // seconds since 1970
};
struct StreamText {
  std::string text;  // whole UTF-8
  bool reasoning = false;
};
struct StreamDone {
  FinishReason reason = FinishReason::stop;
  Usage usage;
};

// Exactly one StreamDone or Error is the last.
struct StreamEvent {
  std::uint64_t sequence = 0;  // from 1, by exactly 1
  std::variant<StreamCreated, StreamText, ToolCallDelta, StreamDone, Error> what;

  bool last() const {
    return std::holds_alternative<StreamDone>(what) || std::holds_alternative<Error>(what);
  }
};

}  // namespace pensieve::server
