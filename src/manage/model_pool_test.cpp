// Names, single flight, failures and endings, with a loader that does what the test says.
#include "manage/model_pool.h"

#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <numeric>
#include <thread>

namespace pensieve::manage {
namespace {

using testing::HasSubstr;
using Answer = Result<std::shared_ptr<Inference>>;

class FakeInference final : public Inference {
 public:
  explicit FakeInference(ModelInfo info) : info_(std::move(info)) { info_.effective_context = 99; }
  const ModelInfo& info() const override { return info_; }
  GenerationId submit(GenerationRequest, std::unique_ptr<ReplySink> sink) override {
    sink->on_event({0, Started{5, 0}});
    for (int i = 0; i < 3; ++i) sink->on_event({0, TextDelta{"a", false, {}, 1}});
    sink->on_event({0, Finished{FinishReason::length, "", {}, {}}});
    return 0;
  }
  void cancel(GenerationId) override {}
  void render(ChatRequest, Done<std::string>) override {}
  void tokenize(std::string, EncodeOptions, Done<TokenizedText>) override {}
  void detokenize(std::vector<std::int32_t>, Done<std::string>) override {}
  void embed(EmbeddingRequest, Done<Embeddings>) override {}
  void count(ChatRequest, Done<std::int64_t>) override {}
  InferenceStats stats() const override {
    InferenceStats stats;
    stats.prompt_tokens = 7;
    stats.finished = answered;
    stats.memory_bytes = info_.file_bytes;
    return stats;
  }
  bool alive() const override { return !dead; }
  ~FakeInference() override {
    ++ending;
    while (lingering) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ++ended;
  }

  std::atomic<bool> dead = false;
  std::atomic<std::uint64_t> answered = 0;
  static inline std::atomic<int> ending = 0, ended = 0;
  static inline std::atomic<bool> lingering = false;  // those that end take their time until it is over

 private:
  ModelInfo info_;
};

ModelInfo named(const std::string& name) {
  ModelInfo info;
  info.name = name;
  info.path = "/models/" + name + ".gguf";
  info.file_bytes = 400;  // what the model holds once loaded
  return info;
}

class PoolTest : public testing::Test {
 protected:
  PoolSource source() {
    PoolSource made;
    made.scan = [this] {
      std::unique_lock lock(mutex);
      opened.wait(lock, [this] { return scannable; });
      model::CatalogListing listing;
      for (const std::string& name : catalog) listing.entries.push_back(entry(name));
      return listing;
    };
    made.find = [this](std::string_view name) -> Result<model::CatalogEntry> {
      for (const std::string& known : catalog) {
        if (known == name || "alias-of-" + known == name) return entry(known);
      }
      return fail(Error::Code::not_found, "no such model", "model", "model_not_found");
    };
    made.load = [this](const ModelInfo& info,
                       const LoadBudget& budget) -> Result<std::unique_ptr<Inference>> {
      std::unique_lock lock(mutex);
      opened.wait(lock, [this] { return open; });
      if (failure) return tl::unexpected(*failure);
      if (failing) return fail(Error::Code::exhausted, "too large: 10 GB needed, 1 GB available");
      if (budget.available < info.file_bytes) {
        return fail(Error::Code::exhausted,
                    "needs " + std::to_string(info.file_bytes) + ", has " + std::to_string(budget.available),
                    "", "out_of_memory");
      }
      ++loads;
      auto model = std::make_unique<FakeInference>(info);
      newest = model.get();
      return model;
    };
    made.available = [this] { return machine_bytes; };
    return made;
  }
  static model::CatalogEntry entry(const std::string& name) {
    model::CatalogEntry made;
    made.name = name;
    made.aliases = {"alias-of-" + name};
    made.info = named(name);
    return made;
  }
  std::unique_ptr<OnDemandPool> pool(std::vector<std::string> served) {
    std::vector<ModelInfo> infos;
    for (const std::string& name : served) infos.push_back(named(name));
    auto made = std::make_unique<OnDemandPool>(source(), std::move(infos), log, options);
    made->start();
    return made;
  }
  static std::future<Answer> ask(OnDemandPool& pool, const std::string& name) {
    auto promise = std::make_shared<std::promise<Answer>>();
    std::future<Answer> future = promise->get_future();
    pool.acquire(name, [promise](Answer answer) { promise->set_value(std::move(answer)); });
    return future;
  }
  void open_gate() {
    const std::lock_guard lock(mutex);
    open = true;
    opened.notify_all();
  }

  std::vector<std::string> catalog{"alpha", "beta"};
  std::mutex mutex;
  std::condition_variable opened;
  bool open = false;             // loads wait until then; guarded by mutex
  bool scannable = true;         // reading the directories waits until then; guarded by mutex
  std::optional<Error> failure;  // of loads; guarded by mutex
  static bool eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 20'000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return holds();
  }
  static bool becomes(const OnDemandPool& pool, const std::string& name, ModelState state) {
    return eventually([&] { return pool.find(name)->state == state; });
  }

  PoolOptions options;
  std::size_t machine_bytes = 100'000;
  FakeInference* newest = nullptr;  // the model loaded last; guarded by mutex
  std::atomic<int> loads = 0;
  std::atomic<bool> failing = false;
  util::Log log{util::LogLevel::off};
};

TEST_F(PoolTest, LoadsOnceHoweverManyAsk) {
  const auto models = pool({});
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 20; ++i) answers.push_back(ask(*models, i % 2 == 0 ? "alpha" : "alias-of-alpha"));
  open_gate();
  const ModelInfo* first = nullptr;
  for (auto& future : answers) {
    const Answer answer = future.get();
    ASSERT_TRUE(answer);
    if (first == nullptr) first = &(*answer)->info();
    EXPECT_EQ(&(*answer)->info(), first) << "all have the same model";
  }
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(models->find("alpha")->state, ModelState::loaded);
  EXPECT_EQ(models->find("alias-of-alpha")->info.effective_context, 99);
}

TEST_F(PoolTest, ACatalogThatThrowsFailsTheQuestionAndIsAskedAgain) {
  PoolSource throwing = source();
  std::atomic<int> scans = 0;
  throwing.scan = [&]() -> model::CatalogListing {
    ++scans;
    throw std::bad_alloc();
  };
  throwing.find = [](std::string_view) -> Result<model::CatalogEntry> { throw std::bad_alloc(); };
  OnDemandPool models(std::move(throwing), {}, log);
  models.start();
  const Answer answer = ask(models, "alpha").get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Error::Code::exhausted);
  EXPECT_GE(scans, 1);  // asked for at start, on the same thread and before
}

TEST_F(PoolTest, ServedModelsLoadByThemselvesAndReadinessFollows) {
  const auto models = pool({"mine"});
  EXPECT_FALSE(models->ready());
  EXPECT_EQ(models->find("mine")->state, ModelState::loading);
  open_gate();
  ASSERT_TRUE(ask(*models, "").get());  // the only model needs no name
  EXPECT_TRUE(models->ready());
  EXPECT_EQ(models->list().front().info.name, "mine");
}

TEST_F(PoolTest, AnEmptyNameNeedsExactlyOneModel) {
  const auto models = pool({"one", "two"});
  open_gate();
  const Answer answer = ask(*models, "").get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Error::Code::invalid);
  EXPECT_EQ(answer.error().field, "model");
  EXPECT_THAT(answer.error().what, HasSubstr("one, two"));
}

TEST_F(PoolTest, TheFirstRequestWaitsForTheDirectoriesWhenItNamesNoModel) {
  catalog = {"only"};
  scannable = false;
  const auto models = pool({});
  open_gate();
  std::future<Answer> answer = ask(*models, "");
  EXPECT_FALSE(models->directories_read());
  EXPECT_EQ(models->find("only").error().reason, "models_being_read");
  EXPECT_EQ(models->unload("only").error().code, Error::Code::unavailable);
  {
    const std::lock_guard lock(mutex);
    scannable = true;
    opened.notify_all();
  }
  EXPECT_TRUE(answer.get());
  EXPECT_TRUE(models->directories_read());
  EXPECT_EQ(models->find("other").error().reason, "model_not_found");
}

TEST_F(PoolTest, UnknownNamesAreNotFound) {
  const auto models = pool({});
  open_gate();
  const Answer answer = ask(*models, "gamma").get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Error::Code::not_found);
  EXPECT_EQ(answer.error().reason, "model_not_found");
  ASSERT_TRUE(ask(*models, "alpha").get());
  const Result<ModelStatus> status = models->find("alpah");
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().what, HasSubstr("alpha"));
}

TEST_F(PoolTest, NamesOfModelsServedFromPathsAreSuggestedToo) {
  const auto models = pool({"SmolLM2-135M"});
  open_gate();
  EXPECT_THAT(ask(*models, "SmolLM2-135N").get().error().what, HasSubstr("nearest: SmolLM2-135M"));
  EXPECT_THAT(ask(*models, "something-else").get().error().what, HasSubstr("SmolLM2-135M"));
  EXPECT_TRUE(ask(*models, "smollm2-135m").get());
  EXPECT_LT(ask(*models, std::string(1'000'000, 'x')).get().error().what.size(), 1000U);
}

TEST_F(PoolTest, AFailureIsToldAndTheNextRequestTriesAgain) {
  failing = true;
  const auto models = pool({"big"});
  open_gate();
  const Answer answer = ask(*models, "big").get();
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().what, HasSubstr("10 GB needed"));
  EXPECT_EQ(models->find("big")->state, ModelState::failed);
  EXPECT_THAT(models->find("big")->problem, HasSubstr("1 GB available"));
  EXPECT_FALSE(models->ready());
  failing = false;
  EXPECT_TRUE(ask(*models, "big").get());
  EXPECT_TRUE(models->ready());
  EXPECT_EQ(models->find("big")->problem, "");
}

TEST_F(PoolTest, AServedNameHidesTheCatalogs) {
  catalog = {"alpha"};
  const auto models = pool({"alpha"});
  open_gate();
  ASSERT_TRUE(ask(*models, "alpha").get());
  EXPECT_FALSE(ask(*models, "nobody").get());  // by now the directories have been read
  EXPECT_EQ(models->list().size(), 1U);
}

TEST_F(PoolTest, ListsServedModelsFirstThenTheDirectories) {
  const auto models = pool({"zeta"});
  open_gate();
  EXPECT_FALSE(ask(*models, "nobody").get());
  std::vector<std::string> names;
  for (const ModelStatus& status : models->list()) names.push_back(status.info.name);
  EXPECT_THAT(names, testing::ElementsAre("zeta", "alpha", "beta"));
}

TEST_F(PoolTest, WhoStillWaitsAtTheEndIsAnswered) {
  std::atomic<int> answered = 0, refused = 0;
  const auto count = [&](const Answer& answer) {
    ++answered;
    if (!answer) ++refused;
  };
  {
    const auto models = pool({"first", "second"});
    for (const char* name : {"first", "second", "nobody"}) models->acquire(name, count);
    open_gate();
  }
  EXPECT_EQ(answered, 3);
  EXPECT_GE(refused, 1);  // nobody knows "nobody"; whether "second" still got loaded is a race
}

TEST_F(PoolTest, IdleModelsAreUnloadedAndComeBack) {
  options.idle_seconds = 60;
  const auto models = pool({"mine"});
  open_gate();
  auto lease = *ask(*models, "mine").get();
  const auto later = std::chrono::steady_clock::now() + std::chrono::hours(1);
  models->tidy(later);
  EXPECT_EQ(models->find("mine")->state, ModelState::loaded) << "somebody uses it";
  EXPECT_EQ(models->find("mine")->users, 1);
  EXPECT_TRUE(models->find("mine")->expires);
  lease.reset();
  const int ended = FakeInference::ended;
  models->tidy(later);
  EXPECT_EQ(models->find("mine")->state, ModelState::unloaded);
  EXPECT_EQ(models->find("mine")->memory_bytes, 0U);
  EXPECT_EQ(FakeInference::ended, ended + 1);
  EXPECT_TRUE(models->ready()) << "it comes back when asked for";
  EXPECT_TRUE(ask(*models, "mine").get());
  EXPECT_EQ(loads, 2);
}

TEST_F(PoolTest, KeepAliveOverridesTheConfiguredIdleTime) {
  const auto models = pool({});
  open_gate();
  ASSERT_TRUE(ask(*models, "alpha").get());
  const auto later = std::chrono::steady_clock::now() + std::chrono::hours(1);
  models->tidy(later);
  EXPECT_EQ(models->find("alpha")->state, ModelState::loaded) << "by default nothing expires";
  ASSERT_TRUE(models->keep_alive("alpha", std::chrono::seconds(300)));
  models->tidy(later);
  EXPECT_EQ(models->find("alpha")->state, ModelState::unloaded);
  EXPECT_FALSE(models->keep_alive("nobody", std::nullopt));
}

TEST_F(PoolTest, UnloadWaitsForUsersAndServesWhoComesMeanwhile) {
  const auto models = pool({"mine"});
  open_gate();
  auto lease = *ask(*models, "mine").get();
  const Result<ModelStatus> asked = models->unload("mine");
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->state, ModelState::unloading);
  EXPECT_EQ(lease->info().name, "mine") << "who has it keeps it";
  auto next = ask(*models, "mine");
  lease.reset();
  ASSERT_TRUE(next.get());
  EXPECT_EQ(loads, 2);
  ASSERT_TRUE(models->unload("mine"));
  EXPECT_TRUE(becomes(*models, "mine", ModelState::unloaded));
  EXPECT_TRUE(models->unload("mine")) << "unloading twice is no error";
  EXPECT_EQ(models->unload("nobody").error().reason, "model_not_found");
}

TEST_F(PoolTest, ALoadWaitsForTheMemoryOfAModelThatIsLeaving) {
  machine_bytes = 700;
  const auto models = pool({});
  open_gate();
  ASSERT_TRUE(ask(*models, "alpha").get());
  const int before = FakeInference::ending;
  FakeInference::lingering = true;
  ASSERT_TRUE(models->unload("alpha"));
  ASSERT_TRUE(eventually([&] { return FakeInference::ending > before; }));
  auto next = ask(*models, "beta");
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout) << "no refusal";
  FakeInference::lingering = false;
  const Answer loaded = next.get();
  EXPECT_TRUE(loaded) << loaded.error().what;
}

TEST_F(PoolTest, ALoadWaitsForTheLastUserOfAModelThatWasToldToGo) {
  machine_bytes = 700;
  const auto models = pool({});
  open_gate();
  auto lease = *ask(*models, "alpha").get();
  ASSERT_TRUE(models->unload("alpha"));
  auto next = ask(*models, "beta");
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout) << "no refusal";
  lease.reset();
  const Answer loaded = next.get();
  EXPECT_TRUE(loaded) << loaded.error().what;
}

TEST_F(PoolTest, UnloadingWhatIsBeingLoadedIsRefused) {
  const auto models = pool({"mine"});
  const Result<ModelStatus> asked = models->unload("mine");
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().reason, "model_loading");
  open_gate();
}

TEST_F(PoolTest, TheLeastRecentlyUsedModelGivesWay) {
  machine_bytes = 1000;
  catalog = {"alpha", "beta", "gamma"};
  const auto models = pool({});
  open_gate();
  ASSERT_TRUE(ask(*models, "alpha").get());
  ASSERT_TRUE(ask(*models, "beta").get());
  ASSERT_TRUE(ask(*models, "alpha").get());
  ASSERT_TRUE(ask(*models, "gamma").get());
  EXPECT_EQ(models->find("alpha")->state, ModelState::loaded);
  EXPECT_EQ(models->find("beta")->state, ModelState::unloaded);
  EXPECT_EQ(models->find("gamma")->memory_bytes, 400U);
}

TEST_F(PoolTest, NeitherModelsInUseNorPinnedOnesGiveWay) {
  machine_bytes = 1000;
  catalog = {"alpha", "beta", "gamma"};
  options.pinned = {"ALPHA"};
  const auto models = pool({});
  open_gate();
  ASSERT_TRUE(ask(*models, "alpha").get());
  auto lease = *ask(*models, "beta").get();
  const Answer refused = ask(*models, "gamma").get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "out_of_memory");
  EXPECT_THAT(refused.error().what, HasSubstr("needs 400, has 200"));
  EXPECT_THAT(refused.error().what, HasSubstr("alpha (0 MiB, pinned), beta (0 MiB, in use by 1)"));
  lease.reset();
  EXPECT_TRUE(ask(*models, "gamma").get());
  EXPECT_EQ(models->find("alpha")->state, ModelState::loaded);
  EXPECT_TRUE(models->find("alpha")->pinned);
}

TEST_F(PoolTest, ConfiguredLimitsCountAndCanChange) {
  options.max_models = 1;
  const auto models = pool({});
  open_gate();
  auto lease = *ask(*models, "alpha").get();
  const Answer refused = ask(*models, "beta").get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "too_many_models");
  options.max_models = 2;
  options.memory_bytes = 700;
  models->configure(options);
  EXPECT_EQ(ask(*models, "beta").get().error().reason, "out_of_memory");
  options.memory_bytes = 800;
  models->configure(options);
  EXPECT_TRUE(ask(*models, "beta").get());
}

TEST_F(PoolTest, ADeadModelIsLoadedAgain) {
  const auto models = pool({"mine"});
  open_gate();
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(ask(*models, "mine").get());
    const std::lock_guard lock(mutex);
    newest->dead = true;
  }
  EXPECT_EQ(models->find("mine")->state, ModelState::failed);
  EXPECT_THAT(models->find("mine")->problem, HasSubstr("unexpectedly"));
  EXPECT_EQ(models->counters().at("mine").crashes, 3U) << "the last one was not asked for yet";
  EXPECT_EQ(models->counters().at("mine").restarts, 2U);
  EXPECT_TRUE(ask(*models, "mine").get());
  EXPECT_EQ(models->counters().at("mine").crashes, 3U);
  EXPECT_EQ(models->counters().at("mine").restarts, 3U);
  EXPECT_EQ(loads, 4);
  EXPECT_EQ(models->find("mine")->state, ModelState::loaded);
  {
    const std::lock_guard lock(mutex);
    newest->dead = true;
  }
  ASSERT_TRUE(models->unload("mine"));
  ASSERT_TRUE(becomes(*models, "mine", ModelState::unloaded));
  EXPECT_EQ(models->counters().at("mine").crashes, 4U) << "nobody asked for it any more";
}

TEST_F(PoolTest, AProcessThatDiesWhileLoadingIsCounted) {
  const auto models = pool({});
  failure = {Error::Code::unavailable, "it ended with signal 11", "", "worker_crashed", {}};
  open_gate();
  EXPECT_FALSE(ask(*models, "alpha").get());
  EXPECT_EQ(models->counters().at("alpha").crashes, 1U);
  {
    const std::lock_guard lock(mutex);
    failure.reset();
  }
  EXPECT_TRUE(ask(*models, "alpha").get());
  EXPECT_EQ(models->counters().at("alpha").crashes, 1U);
  EXPECT_EQ(models->counters().at("alpha").restarts, 1U);
}

// With a pause that doubled from death to death, this would take minutes.
TEST_F(PoolTest, AModelThatAnswersBetweenItsDeathsIsLoadedAgainAtOnce) {
  const auto models = pool({"mine"});
  open_gate();
  for (int round = 1; round <= 20; ++round) {
    ASSERT_TRUE(ask(*models, "mine").get());
    const std::lock_guard lock(mutex);
    newest->answered = 1;
    newest->dead = true;
  }
  EXPECT_EQ(loads, 20);
}

class IgnoringSink final : public ReplySink {
 public:
  void on_event(ReplyEvent) override {}
};

TEST_F(PoolTest, CountersOutliveTheModelAndTellOfTokens) {
  const auto models = pool({"mine"});
  open_gate();
  for (int round = 1; round <= 2; ++round) {
    (*ask(*models, "mine").get())->submit({}, std::make_unique<IgnoringSink>());
    ASSERT_TRUE(models->unload("mine"));
    ASSERT_TRUE(becomes(*models, "mine", ModelState::unloaded));
    const CountersReading reading = models->counters().at("mine");
    EXPECT_EQ(reading.stats.prompt_tokens, 7U * static_cast<unsigned>(round));
    EXPECT_EQ(reading.loads, static_cast<unsigned>(round));
    EXPECT_EQ(reading.finished[static_cast<std::size_t>(FinishReason::length)], static_cast<unsigned>(round));
    const auto sum = [](const HistogramReading& histogram) {
      return std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0});
    };
    EXPECT_EQ(sum(reading.first_token), static_cast<unsigned>(round));
    EXPECT_EQ(sum(reading.inter_token), 2U * static_cast<unsigned>(round));
    EXPECT_EQ(sum(reading.whole), static_cast<unsigned>(round));
  }
}

TEST(LatencyHistogramTest, CountsIntoTheBucketOfItsBound) {
  constexpr std::array kBounds{0.001, 0.01};
  LatencyHistogram histogram(kBounds);
  histogram.add(std::chrono::milliseconds(1));
  histogram.add(std::chrono::milliseconds(5), 3);
  histogram.add(std::chrono::seconds(2));
  const HistogramReading reading = histogram.read();
  EXPECT_THAT(reading.counts, testing::ElementsAre(1, 3, 1));
  EXPECT_NEAR(reading.sum, 2.016, 1e-9);
}

TEST_F(PoolTest, ReleasingTheLastPointerAfterThePoolIsSafe) {
  std::shared_ptr<Inference> kept;
  std::thread releaser;
  {
    const auto models = pool({"mine"});
    open_gate();
    kept = *ask(*models, "mine").get();
    releaser = std::thread([&kept] { kept.reset(); });
  }
  releaser.join();
}

}  // namespace
}  // namespace pensieve::manage
