// An engine with a paged test plan and a clock that tests move, sinks that record, and what the answer to a
// request must be, computed alone and naively. Not for production.
#pragma once

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/model_for_test.h"
#include "util/unicode.h"

namespace pensieve::engine::testing {

struct Reply {  // of one choice
  int started = 0, finished = 0;
  std::string text;
  std::int32_t tokens = 0;
  std::vector<TokenLogprob> logprobs, prompt_logprobs;
  Started start;
  Finished end;
};

struct Record {
  std::map<std::int32_t, Reply> choices;
  std::vector<Error> failures;
  std::vector<std::string> problems;  // events out of order
  bool sink_destroyed = false;
  std::int64_t events = 0;

  bool over(std::int32_t wanted) const {
    std::int32_t finished = 0;
    for (const auto& entry : choices) finished += entry.second.finished;
    return !failures.empty() || finished == wanted;
  }
  Reply& only() { return choices[0]; }

  void take(const ReplyEvent& event) {
    ++events;
    Reply& reply = choices[event.choice];
    const bool fails =
        std::holds_alternative<Failed>(event.what);  // ends all choices, whichever had finished
    if (!failures.empty() || (reply.finished > 0 && !fails)) problems.emplace_back("an event after the end");
    if (const auto* started = std::get_if<Started>(&event.what)) {
      ++reply.started;
      reply.start = *started;
    } else if (const auto* prompt = std::get_if<PromptLogprobs>(&event.what)) {
      if (reply.started == 0 || reply.tokens > 0)
        problems.emplace_back("prompt log-probabilities not between start and text");
      reply.prompt_logprobs = prompt->tokens;
    } else if (const auto* delta = std::get_if<TextDelta>(&event.what)) {
      if (reply.started == 0) problems.emplace_back("text before the start");
      if (!util::valid_utf8(delta->text)) problems.emplace_back("text is not UTF-8");
      reply.text += delta->text;
      reply.tokens += delta->tokens;
      reply.logprobs.insert(reply.logprobs.end(), delta->logprobs.begin(), delta->logprobs.end());
    } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
      ++reply.finished;
      reply.end = *finished;
    } else {
      failures.push_back(std::get<Failed>(event.what).error);
    }
  }
};

class RecordingSink final : public ReplySink {
 public:
  explicit RecordingSink(std::shared_ptr<Record> record, int throws_at = -1)
      : record_(std::move(record)), throws_at_(throws_at) {}
  ~RecordingSink() override { record_->sink_destroyed = true; }
  void on_event(ReplyEvent event) override {
    if (throws_at_ == record_->events) throw std::runtime_error("a sink that throws");
    record_->take(event);
  }

 private:
  std::shared_ptr<Record> record_;  // shared: the test reads it after the engine has destroyed the sink
  int throws_at_;
};

struct WorldOptions {
  std::int32_t pages = 64, page_tokens = 4;
  std::int64_t context = 64;
  std::int32_t slots = 0;  // > 0: a recurrent model
  Options engine{.parallel = 4, .queue = 8, .step_rows = 16};
};

struct World {
  explicit World(WorldOptions options = {}) : settings(options) {
    graph.vocabulary = ByteTokenizer::kVocabulary;
    graph.state_groups = 1;
    auto owned = std::make_unique<PagedPlan>(options.pages, options.page_tokens);
    plan = owned.get();
    if (options.slots > 0) plan->keep_slots(options.slots, graph.slot_group());
    Capacity capacity{
        {.page_tokens = options.page_tokens, .page_count = options.pages, .slot_count = options.slots},
        options.context};
    engine = std::make_unique<Engine>(
        graph, tokenizer, DeviceInfo{}, std::move(owned), capacity, options.engine, [this] { return now; },
        counters);
  }

  Request request(std::string_view prompt) {
    Request made;
    made.id = ++last_id;
    for (const char byte : prompt) made.prompt.push_back(static_cast<unsigned char>(byte));
    made.sampling.temperature = 0;
    made.max_tokens = 8;
    return made;
  }
  std::shared_ptr<Record> submit(Request request, int sink_throws_at = -1) {
    auto record = std::make_shared<Record>();
    request.sink = std::make_unique<RecordingSink>(record, sink_throws_at);
    engine->submit(std::move(request), now);
    return record;
  }
  void step() {
    now += 1;
    engine->step();
  }
  bool drain(int most_steps = 10000) {
    for (; !engine->idle() && most_steps > 0; --most_steps) step();
    return engine->idle();
  }

  WorldOptions settings;
  double now = 0;
  Graph graph;
  ByteTokenizer tokenizer;
  Counters counters;
  PagedPlan* plan = nullptr;  // the engine's
  std::unique_ptr<Engine> engine;
  GenerationId last_id = 0;
};

struct SoloAnswer {
  std::string text, stop;
  FinishReason reason = FinishReason::length;
  std::int64_t tokens = 0;
};

// The answer of one choice, computed alone: no pages, no batch, stop strings searched in the whole text each
// time.
inline SoloAnswer solo_answer(const Request& request, std::int32_t choice, std::uint64_t seed,
                              std::int64_t context) {
  const ByteTokenizer tokenizer;
  Sampler sampler;
  SoloAnswer answer;
  std::vector<std::int32_t> tokens = request.prompt;
  std::uint64_t chain = 0;
  for (const std::int32_t token : tokens) chain = chain_of(chain, token);
  std::string text;
  while (answer.tokens != request.max_tokens) {
    if (static_cast<std::int64_t>(tokens.size()) >= context) break;
    std::vector<float> logits;
    logits_after(chain, logits);
    if (request.ignore_eos || answer.tokens < request.min_tokens) logits[ByteTokenizer::kEnd] = -INFINITY;
    const auto random = random_at(seed, static_cast<std::uint32_t>(choice), tokens.size());
    const std::int32_t token = *sampler.draw(logits, request.sampling, tokens, random);
    tokens.push_back(token);
    chain = chain_of(chain, token);
    ++answer.tokens;
    if (token == ByteTokenizer::kEnd) {
      answer.reason = FinishReason::stop;
      break;
    }
    text += tokenizer.bytes(token, false);
    for (const std::string& stop : request.stop) {
      const bool counts =
          !stop.empty() && answer.tokens >= request.min_tokens && stop.size() > answer.stop.size();
      if (counts && !tokenizer.bytes(token, false).empty() && text.ends_with(stop)) answer.stop = stop;
    }
    if (answer.stop.empty()) continue;
    text.resize(text.size() - answer.stop.size());
    answer.reason = FinishReason::stop;
    break;
  }
  answer.text = util::repair_utf8(text);
  return answer;
}

}  // namespace pensieve::engine::testing
