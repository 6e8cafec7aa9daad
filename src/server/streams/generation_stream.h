// GenerationStream: one generation as a log of numbered events that a single reader takes at its own pace,
// and that another reader may take up again where the first one stopped. Knows no transport.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/inference.h"
#include "server/streams/stream_event.h"

namespace pensieve::server {

class SessionTurn;

// Bounded without ever stopping the engine: text that no reader has seen yet is joined once enough events
// wait, so a slow reader costs the bytes of the answer and little more. A resumable stream keeps all its
// events. Thread rule: any thread.
class GenerationStream : public std::enable_shared_from_this<GenerationStream> {
 public:
  using Wake = std::function<void()>;
  using Reader = std::uint64_t;  // 0: nobody

  // `owner`: who may resume or cancel it (the key it was asked with); compared, never shown.
  GenerationStream(std::string id, std::string owner, bool resumable);

  const std::string& id() const { return id_; }
  const std::string& owner() const { return owner_; }
  bool resumable() const { return resumable_; }
  std::string event_id(std::uint64_t sequence) const;

  // The writing side. `submit` hands the generation to its model unless it was cancelled meanwhile; `refuse`
  // ends it with an error instead. One of them, once. `model` names it in case it is cancelled before.
  void submit(std::shared_ptr<Inference> model, GenerationRequest request);
  void refuse(Error error);
  void name_model(std::string model);
  // Makes it a turn of a session, before `submit`: question and answer are kept before the end is told, and
  // nothing of a turn that fails or is cancelled.
  void hold(std::shared_ptr<SessionTurn> turn);
  // Ends with FinishReason::cancelled, at once or within a step of the engine.
  void cancel();

  // The reading side. A new reader takes the place of the old one, whose wake is called a last time. Events
  // after `after` follow; `invalid` when no such event was sent or it was given up. `wake` is called on any
  // thread when `next` has something again, and must not call back.
  Result<Reader> attach(std::uint64_t after, Wake wake);
  void detach(Reader reader);
  bool attached(Reader reader) const;
  std::optional<StreamEvent> next(Reader reader);

  bool ended() const;         // its last event has been written
  std::size_t bytes() const;  // of the events kept

 private:
  class Sink;
  enum class Phase : std::uint8_t { waiting, running, ended };

  void on_event(ReplyEvent event);
  void keep_turn(Finished finished, std::unique_lock<std::mutex>& lock);
  // With the lock held: appends or joins; the wake to call once it is released.
  void append(std::variant<StreamCreated, StreamText, ToolCallDelta, StreamDone, Error> what);
  bool join(StreamText& more);
  bool join(ToolCallDelta& more);
  bool may_join() const;
  Wake end(std::variant<StreamDone, Error> how);
  Wake take_wake();
  static std::size_t size_of(const StreamEvent& event);

  const std::string id_, owner_, token_;
  const bool resumable_;
  const std::int64_t created_;

  mutable std::mutex mutex_;  // guards everything below
  Phase phase_ = Phase::waiting;
  bool cancelled_ = false;
  std::string model_name_;
  std::shared_ptr<Inference> model_;   // while running
  std::shared_ptr<SessionTurn> turn_;  // until it is kept, or the end
  std::optional<GenerationId> generation_;
  std::deque<StreamEvent> log_;
  std::uint64_t written_ = 0;  // sequence of the newest event
  std::uint64_t taken_ = 0;    // newest event that any reader ever got
  std::uint64_t cursor_ = 0;   // newest event that the present reader got
  std::size_t bytes_ = 0;
  Reader reader_ = 0, readers_ = 0;
  Wake wake_;
  bool woken_ = false;
};

}  // namespace pensieve::server
