// The messages between the gateway and a worker, and the frames that they travel in: a length (32 bits, of
// what follows), the kind of message (8 bits), its fields. Not a transport: worker/link.h moves the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/inference.h"
#include "core/result.h"
#include "engine/options.h"
#include "hal/options.h"
#include "manage/load_budget.h"
#include "model/catalog.h"

namespace pensieve::manage::wire {

// From the gateway. The first is Load or Examine; the end of the stream means: end.
struct Load {
  std::string path, name;
  hal::Options hardware;
  engine::Options engine;
  LoadBudget budget;
};
struct Examine {  // heads of model files; answered by one Examined each, in order, and the end
  std::vector<std::string> paths;
};
struct Submit {
  std::uint64_t id = 0;
  GenerationRequest request;
};
struct Cancel {
  std::uint64_t id = 0;
};
struct Render {
  std::uint64_t id = 0;
  ChatRequest request;
};
struct Count {
  std::uint64_t id = 0;
  ChatRequest request;
};
struct Tokenize {
  std::uint64_t id = 0;
  std::string text;
  EncodeOptions options;
};
struct Detokenize {
  std::uint64_t id = 0;
  std::vector<std::int32_t> tokens;
};
struct Embed {
  std::uint64_t id = 0;
  EmbeddingRequest request;
};
using ToWorker = std::variant<Load, Examine, Submit, Cancel, Render, Count, Tokenize, Detokenize, Embed>;

// From the worker.
struct Ready {  // loaded; before it only Stats
  ModelInfo info;
};
struct LoadFailed {
  Error error;
};
struct Stats {  // also the sign of life, at least every kHeartbeat
  InferenceStats stats;
};
struct Event {
  std::uint64_t id = 0;  // of Submit
  ReplyEvent event;
};
struct Answer {  // to Render, Count, Tokenize, Detokenize, Embed
  using Value = std::variant<Error, std::string, TokenizedText, Embeddings, std::int64_t>;
  std::uint64_t id = 0;
  Value value;
};
struct Examined {
  std::uint32_t index = 0;  // into Examine::paths
  model::Examined what;
};
using ToGateway = std::variant<Ready, LoadFailed, Stats, Event, Answer, Examined>;

inline constexpr std::size_t kLargestFrame = std::size_t{64} << 20;  // without the length

// Appends a frame. False when it would be larger than kLargestFrame: nothing is appended then.
bool append_frame(const ToWorker& message, std::string& out);
bool append_frame(const ToGateway& message, std::string& out);

// `frame` without its length. `invalid` errors for whatever is not exactly one message.
Result<ToWorker> read_to_worker(std::string_view frame);
Result<ToGateway> read_to_gateway(std::string_view frame);

// Bytes as they come in, cut into frames. Memory follows the bytes that came, not the lengths they claim.
class FrameBuffer {
 public:
  // Room for at least `size` bytes; `filled` says how many of them came.
  char* room(std::size_t size);
  void filled(std::size_t size) { end_ += size; }
  // The next whole frame, without its length, valid until the next call of any method; nothing when it is not
  // there yet; an error when it claims to be empty or larger than kLargestFrame.
  Result<std::optional<std::string_view>> next();

 private:
  std::string bytes_;
  std::size_t begin_ = 0, end_ = 0;  // what came and was not yet taken
};

}  // namespace pensieve::manage::wire
