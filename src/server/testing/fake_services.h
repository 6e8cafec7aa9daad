// A model pool with one model whose answers are scripted, for tests of everything above the Inference seam.
// Not a simulation of an engine: events come when the test says so, or at once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "manage/services.h"

namespace pensieve::server::testing {

inline ModelInfo fake_info() {
  ModelInfo info;
  info.name = "fake/model:1";
  info.trained_context = info.effective_context = 64;
  info.vocabulary = 100;
  info.embedding_width = info.layers = 2;
  info.parameters = info.file_bytes = 1000;
  info.capabilities = {"completion"};
  info.chat_template = "{% raw %}{% endraw %}";
  info.defaults.temperature = 0.6F;
  return info;
}

// Thread rule: any thread.
class FakeInference final : public Inference {
 public:
  const ModelInfo& info() const override { return info_; }

  GenerationId submit(GenerationRequest request, std::unique_ptr<ReplySink> sink) override {
    std::unique_lock lock(mutex_);
    const GenerationId id = ++last_;
    const std::shared_ptr<ReplySink> live = std::move(sink);
    requests_.push_back(std::move(request));
    sinks_[id] = live;
    const auto script = script_;
    lock.unlock();
    for (const ReplyEvent& event : script) live->on_event(event);
    changed_.notify_all();
    return id;
  }
  void cancel(GenerationId id) override {
    std::shared_ptr<ReplySink> sink;
    {
      const std::lock_guard lock(mutex_);
      cancelled_.push_back(id);
      changed_.notify_all();
      if (deaf_) return;
      if (const auto found = sinks_.find(id); found != sinks_.end()) {
        sink = std::move(found->second);
        sinks_.erase(found);
      }
      changed_.notify_all();
    }
    if (sink) sink->on_event({0, Finished{FinishReason::cancelled, "", {}, {}}});
  }
  void render(ChatRequest request, Done<std::string> done) override {
    std::unique_lock lock(mutex_);
    const std::shared_future<void> block = block_;
    rendering_ = true;
    changed_.notify_all();
    lock.unlock();
    if (block.valid()) block.wait();
    done("<" + *request.messages.front().content + ">");
  }
  void tokenize(std::string text, EncodeOptions, Done<TokenizedText> done) override {
    TokenizedText out;
    for (const char c : text) {
      out.tokens.push_back(static_cast<unsigned char>(c) % 100);
      out.pieces.emplace_back(1, c);
    }
    done(std::move(out));
  }
  void detokenize(std::vector<std::int32_t> tokens, Done<std::string> done) override {
    done(std::string(tokens.size(), 'x'));
  }
  void embed(EmbeddingRequest request, Done<Embeddings> done) override {
    {
      const std::lock_guard lock(mutex_);
      if (deaf_) {
        unanswered_.push_back(std::move(done));
        changed_.notify_all();
        return;
      }
    }
    Embeddings made;
    for (std::size_t i = 0; i < request.inputs.size(); ++i) made.vectors.push_back({1.0F, 0.0F});
    made.prompt_tokens = static_cast<std::int64_t>(request.inputs.size());
    done(std::move(made));
  }
  void count(ChatRequest request, Done<std::int64_t> done) override {
    done(static_cast<std::int64_t>(request.messages.size()));
  }
  InferenceStats stats() const override {
    const std::lock_guard lock(mutex_);
    InferenceStats stats;
    stats.running = static_cast<std::int32_t>(sinks_.size());
    stats.prompt_tokens = 7;
    return stats;
  }

  // Every later submit answers with these at once; empty: the test emits.
  void set_script(std::vector<ReplyEvent> script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
  }
  void emit(GenerationId id, ReplyEvent event) {
    const std::lock_guard lock(mutex_);
    if (const auto sink = sinks_.find(id); sink != sinks_.end()) sink->second->on_event(std::move(event));
  }
  // A model that hangs: it neither answers for embeddings nor ends what is cancelled.
  void go_deaf() {
    const std::lock_guard lock(mutex_);
    deaf_ = true;
  }
  // Waits for a question that is not answered, and takes it.
  Done<Embeddings> take_unanswered() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !unanswered_.empty(); });
    Done<Embeddings> taken = std::move(unanswered_.back());
    unanswered_.pop_back();
    return taken;
  }
  // Later calls of render keep their caller waiting until then: a thread that is busy.
  void block_rendering(std::shared_future<void> until) {
    const std::lock_guard lock(mutex_);
    block_ = std::move(until);
  }
  void wait_for_rendering() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return rendering_; });
  }
  GenerationRequest wait_for_request(std::size_t index = 0) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return requests_.size() > index; });
    return requests_[index];
  }
  void wait_for_cancel(GenerationId id) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      for (const GenerationId seen : cancelled_) {
        if (seen == id) return true;
      }
      return false;
    });
  }
  std::size_t submitted() const {
    const std::lock_guard lock(mutex_);
    return requests_.size();
  }

 private:
  const ModelInfo info_ = fake_info();
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ReplyEvent> script_;
  std::vector<GenerationRequest> requests_;
  std::map<GenerationId, std::shared_ptr<ReplySink>> sinks_;
  std::vector<GenerationId> cancelled_;
  GenerationId last_ = 0;
  std::shared_future<void> block_;
  std::vector<Done<Embeddings>> unanswered_;
  bool rendering_ = false, deaf_ = false;
};

class FakePool final : public manage::ModelPool {
 public:
  std::shared_ptr<FakeInference> model = std::make_shared<FakeInference>();
  std::atomic<bool> is_ready = true;

  void acquire(std::string_view name, Acquired acquired) override {
    if (!name.empty() && name != model->info().name) return acquired(tl::unexpected(unknown(name)));
    const std::lock_guard lock(mutex_);
    if (loading_) return waiting_.push_back(std::move(acquired));
    acquired(std::shared_ptr<Inference>(model));
  }
  std::vector<manage::ModelStatus> list() const override { return {status()}; }
  Result<manage::ModelStatus> find(std::string_view name) const override {
    if (name != model->info().name) return tl::unexpected(unknown(name));
    return status();
  }
  bool ready() const override { return is_ready; }
  Result<manage::ModelStatus> unload(std::string_view name) override {
    const std::lock_guard lock(mutex_);
    unloaded_.emplace_back(name);
    return find(name);
  }
  Result<> keep_alive(std::string_view name, std::optional<std::chrono::seconds> idle) override {
    const std::lock_guard lock(mutex_);
    kept_alive_.emplace_back(name, idle);
    if (auto known = find(name); !known) return tl::unexpected(known.error());
    return {};
  }
  std::map<std::string, manage::CountersReading> counters() const override {
    return {{model->info().name, manage::ModelCounters().read(model->stats())}};
  }

  // While loading, whoever asks waits.
  void set_loading(bool loading) {
    std::vector<Acquired> waiting;
    {
      const std::lock_guard lock(mutex_);
      loading_ = loading;
      if (!loading) waiting.swap(waiting_);
    }
    for (const Acquired& acquired : waiting) acquired(std::shared_ptr<Inference>(model));
  }

  // What was asked of the pool.
  std::vector<std::string> unloaded() const {
    const std::lock_guard lock(mutex_);
    return unloaded_;
  }
  std::vector<std::pair<std::string, std::optional<std::chrono::seconds>>> kept_alive() const {
    const std::lock_guard lock(mutex_);
    return kept_alive_;
  }

 private:
  manage::ModelStatus status() const { return {model->info(), manage::ModelState::loaded, {}}; }
  static Error unknown(std::string_view name) {
    return {Error::Code::not_found,
            "no model '" + std::string(name) + "'; there is fake/model:1",
            "model",
            "model_not_found",
            {}};
  }

  mutable std::mutex mutex_;
  bool loading_ = false;                                                                 // guarded by mutex_
  std::vector<Acquired> waiting_;                                                        // guarded by mutex_
  std::vector<std::string> unloaded_;                                                    // guarded by mutex_
  std::vector<std::pair<std::string, std::optional<std::chrono::seconds>>> kept_alive_;  // guarded by mutex_
};

// "Hello wörld" in two deltas, 5 tokens read, 3 written.
inline std::vector<ReplyEvent> hello(std::int32_t choices = 1) {
  std::vector<ReplyEvent> events;
  for (std::int32_t choice = 0; choice < choices; ++choice) events.push_back({choice, Started{5, 2}});
  for (std::int32_t choice = 0; choice < choices; ++choice) {
    events.push_back({choice, TextDelta{"Hello ", false, {{1, -0.5F, "Hello ", {{1, -0.5F, "Hello "}}}}, 1}});
    events.push_back({choice, TextDelta{"w\xC3\xB6rld",
                                        false,
                                        {{2, -1.0F, "w\xC3", {{2, -1.0F, "w\xC3"}}},
                                         {3, -2.0F, "\xB6rld", {{4, -1.5F, "x\"y"}}}},
                                        2}});
    events.push_back({choice, Finished{FinishReason::length, "", Usage{5, 2, 3, 0}, Timings{1, 10, 30}}});
  }
  return events;
}

}  // namespace pensieve::server::testing
