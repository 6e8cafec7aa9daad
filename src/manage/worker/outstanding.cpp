// Checks of what a worker may say, and delivery.
#include "manage/worker/outstanding.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pensieve::manage {
namespace {

constexpr int kMostStrays = 100'000;
constexpr std::int32_t kMostCalls = 4096;
constexpr std::int64_t kLongestContext = 1 << 20;  // for the bytes that are believed, not for the model

// What an honest worker's events for one request can have at most: every token in an event of its own, with
// its alternatives, and texts of this length on average.
std::uint64_t most_bytes(const GenerationRequest& request, std::int64_t context) {
  constexpr std::uint64_t kFixed = 1 << 20, kForToken = 256, kForAlternative = 64;
  const std::int64_t longest = std::clamp<std::int64_t>(context, 1, kLongestContext);
  const std::int64_t answer = request.max_tokens < 0 ? longest : std::min(longest, request.max_tokens);
  const std::int64_t prompt = request.prompt_logprobs ? longest : 0;
  const auto choices = static_cast<std::uint64_t>(std::max(1, request.choices));
  const auto alternatives = static_cast<std::uint64_t>(std::max(0, request.top_logprobs + 1));
  return kFixed + choices * static_cast<std::uint64_t>(answer + prompt + 1) *
                      (kForToken + kForAlternative * alternatives);
}

tl::unexpected<Error> lie(std::string what) {
  return fail(Error::Code::invalid, std::move(what));
}

// What it throws is its own affair: others wait for answers too.
template <class Done, class Value>
void tell(const Done& done, Value value) {
  if (!done) return;
  try {
    done(std::move(value));
  } catch (...) {
    return;
  }
}

bool fits(const Embeddings& embeddings, std::size_t inputs) {
  return embeddings.vectors.size() == inputs;
}
bool fits(const TokenizedText& text, std::size_t) {
  return text.tokens.size() == text.pieces.size();
}
template <class T>
bool fits(const T&, std::size_t) {
  return true;
}

bool for_vectors(const Outstanding::Done& done) {
  return std::holds_alternative<Inference::Done<Embeddings>>(done);
}

}  // namespace

GenerationId Outstanding::add(const GenerationRequest& request, std::int64_t context,
                              std::unique_ptr<ReplySink> sink) {
  const auto choices = static_cast<std::size_t>(std::max(1, request.choices));
  Generation generation{std::move(sink), std::vector<Choice>(choices), choices, most_bytes(request, context)};
  const std::lock_guard lock(mutex_);
  generations_.emplace(++last_id_, std::move(generation));
  return last_id_;
}

std::uint64_t Outstanding::ask(Done done, std::size_t inputs) {
  const std::lock_guard lock(mutex_);
  questions_.emplace(++last_id_, Question{std::move(done), inputs, Clock::now()});
  return last_id_;
}

Result<> Outstanding::stray() {
  if (++strays_ <= kMostStrays) return {};
  return lie("it goes on answering what nobody asked");
}

Result<> Outstanding::check(Generation& generation, const ReplyEvent& event, std::size_t bytes) const {
  if (std::holds_alternative<Failed>(event.what)) return {};
  if (event.choice < 0 || static_cast<std::size_t>(event.choice) >= generation.choices.size())
    return lie(fmt::format("an event for choice {} of {}", event.choice, generation.choices.size()));
  Choice& choice = generation.choices[static_cast<std::size_t>(event.choice)];
  if (choice.finished) return lie("an event after the last one");
  if (generation.bytes_left < bytes) return lie("an answer longer than any can be");
  generation.bytes_left -= bytes;
  if (const auto* delta = std::get_if<ToolCallDelta>(&event.what)) {
    if (delta->index < 0 || delta->index > choice.calls || delta->index >= kMostCalls)
      return lie(fmt::format("a piece of call {} after {} calls", delta->index, choice.calls));
    choice.calls = std::max(choice.calls, delta->index + 1);
  }
  choice.finished = std::holds_alternative<Finished>(event.what);
  if (choice.finished) --generation.open;
  return {};
}

Result<> Outstanding::receive(wire::Event event, std::size_t bytes) {
  Generation* generation = nullptr;
  {
    const std::lock_guard lock(mutex_);
    // Stays where it is while others are added, and nobody else removes it.
    if (const auto found = generations_.find(event.id); found != generations_.end())
      generation = &found->second;
  }
  if (generation == nullptr) return stray();
  if (Result<> checked = check(*generation, event.event, bytes); !checked) return checked;
  deliver(event.id, *generation, std::move(event.event));
  return {};
}

void Outstanding::deliver(GenerationId id, Generation& generation, ReplyEvent event) {
  const bool last = generation.open == 0 || std::holds_alternative<Failed>(event.what);
  if (generation.sink) {
    try {
      generation.sink->on_event(std::move(event));
    } catch (...) {  // the client's side failed; other clients are served on
      generation.sink.reset();
      if (!last) unheard_.push_back(id);
    }
  }
  if (!last) return;
  const std::unique_ptr<ReplySink> sink = std::move(generation.sink);  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  generations_.erase(id);
}

Result<> Outstanding::receive(wire::Answer answer) {
  Question question;
  {
    const std::lock_guard lock(mutex_);
    const auto found = questions_.find(answer.id);
    if (found == questions_.end()) return stray();
    question = std::move(found->second);
    questions_.erase(found);
    (for_vectors(question.done) ? answered_.vectors : answered_.text) = Clock::now();
  }
  bool honest = true;
  std::visit(
      [&]<class T>(Inference::Done<T>& done) {
        if (auto* value = std::get_if<T>(&answer.value); value != nullptr && fits(*value, question.inputs)) {
          tell(done, Result<T>(std::move(*value)));
        } else if (auto* error = std::get_if<Error>(&answer.value)) {
          tell(done, Result<T>(tl::unexpected(std::move(*error))));
        } else {
          honest = false;
          tell(done, Result<T>(pensieve::fail(Error::Code::unavailable,
                                              "the model's process gave a wrong answer; ask again", "",
                                              "worker_misbehaved")));
        }
      },
      question.done);
  return honest ? Result<>() : lie("an answer to another question than was asked");
}

void Outstanding::fail(std::uint64_t id, const Error& why) {
  Generation generation;
  Question question;
  {
    const std::lock_guard lock(mutex_);
    if (auto node = generations_.extract(id)) generation = std::move(node.mapped());
    if (auto node = questions_.extract(id)) question = std::move(node.mapped());
  }
  if (generation.sink) {
    try {
      generation.sink->on_event({0, Failed{why}});
    } catch (...) {  // as in deliver
    }
  }
  try {
    std::visit([&]<class T>(Inference::Done<T>& done) { tell(done, Result<T>(tl::unexpected(why))); },
               question.done);
  } catch (...) {  // no memory even for the error
  }
}

void Outstanding::fail_all(const Error& why) {
  for (;;) {  // one after the other: a list of them could be more than memory holds
    std::uint64_t id = 0;
    {
      const std::lock_guard lock(mutex_);
      if (generations_.empty() && questions_.empty()) return;
      id = generations_.empty() ? questions_.begin()->first : generations_.begin()->first;
    }
    fail(id, why);
  }
}

std::vector<GenerationId> Outstanding::take_unheard() {
  return std::exchange(unheard_, {});
}

Outstanding::Waits Outstanding::waits() const {
  const std::lock_guard lock(mutex_);
  Waits waits;
  for (const auto& [id, question] : questions_) {
    const bool vectors = for_vectors(question.done);
    std::optional<Clock::time_point>& since = vectors ? waits.vectors : waits.text;
    if (!since || question.asked < *since) since = question.asked;
  }
  if (waits.text) waits.text = std::max(*waits.text, answered_.text.value_or(*waits.text));
  if (waits.vectors) waits.vectors = std::max(*waits.vectors, answered_.vectors.value_or(*waits.vectors));
  return waits;
}

std::size_t Outstanding::size() const {
  const std::lock_guard lock(mutex_);
  return generations_.size() + questions_.size();
}

}  // namespace pensieve::manage
