// Outstanding: what a worker still owes: the generations and questions that were sent to it and not yet
// answered to the end. It judges every message against what was asked, so that whoever asked may trust the
// events as if they came from this process. Not a transport (link.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/inference.h"
#include "core/result.h"
#include "manage/wire/messages.h"

namespace pensieve::manage {

// Thread rule: add and ask from any thread; everything else from one, on which sinks and callbacks run,
// without locks held.
class Outstanding {
 public:
  using Clock = std::chrono::steady_clock;
  using Done = std::variant<Inference::Done<std::string>, Inference::Done<TokenizedText>,
                            Inference::Done<Embeddings>, Inference::Done<std::int64_t>>;

  // `context`: most tokens that one of the worker's answers can have.
  GenerationId add(const GenerationRequest& request, std::int64_t context, std::unique_ptr<ReplySink> sink);
  // `inputs`: how many vectors embeddings must have; ignored otherwise.
  std::uint64_t ask(Done done, std::size_t inputs = 0);

  // Errors: the worker said what an honest one cannot say. Ids of what has ended or never was are ignored, up
  // to a number. `bytes`: of the event's frame.
  Result<> receive(wire::Event event, std::size_t bytes);
  Result<> receive(wire::Answer answer);

  // Ends one, or all, with an error; nothing when it has ended already.
  void fail(std::uint64_t id, const Error& why);
  void fail_all(const Error& why);

  // Since when questions about text, and those for vectors, wait without one of their kind being answered;
  // nothing: none waits.
  struct Waits {
    std::optional<Clock::time_point> text, vectors;
  };
  Waits waits() const;

  // Generations whose sink threw since the last call: nobody listens any more.
  std::vector<GenerationId> take_unheard();
  std::size_t size() const;

 private:
  struct Choice {
    bool finished = false;
    std::int32_t calls = 0;
  };
  struct Generation {
    std::unique_ptr<ReplySink> sink;  // null: it threw
    std::vector<Choice> choices;
    std::size_t open = 0;  // choices not finished
    std::uint64_t bytes_left = 0;
  };
  struct Question {
    Done done;
    std::size_t inputs = 0;
    Clock::time_point asked{};
  };

  Result<> check(Generation& generation, const ReplyEvent& event, std::size_t bytes) const;
  Result<> stray();
  void deliver(GenerationId id, Generation& generation, ReplyEvent event);

  mutable std::mutex mutex_;
  std::uint64_t last_id_ = 0;                                  // guarded by mutex_
  std::unordered_map<std::uint64_t, Generation> generations_;  // guarded by mutex_; values: the one thread's
  std::unordered_map<std::uint64_t, Question> questions_;      // guarded by mutex_
  Waits answered_;                                             // guarded by mutex_: the last of each kind
  std::vector<GenerationId> unheard_;
  int strays_ = 0;
};

}  // namespace pensieve::manage
