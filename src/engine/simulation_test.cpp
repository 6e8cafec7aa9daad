// Deterministic simulation: thousands of steps of random arrivals, cancellations, failures and page shortage
// on one thread, with the engine's invariants checked after each step and every answer compared with the same
// request computed alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "engine/world_for_test.h"

namespace pensieve::engine {
namespace {

using testing::Record;
using testing::solo_answer;
using testing::SoloAnswer;
using testing::World;
using testing::WorldOptions;

struct Sent {
  std::shared_ptr<Record> record;
  std::vector<SoloAnswer> wanted;  // by choice
  GenerationId id = 0;
  bool cancelled = false;
};

class Simulation {
 public:
  Simulation(WorldOptions options, std::uint32_t seed) : world_(options), random_(seed) {}

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      if (below(3) == 0) submit();
      if (below(12) == 0 && !sent_.empty()) cancel(sent_[below(sent_.size())]);
      check_step();
      if (::testing::Test::HasFailure()) return;
    }
    ASSERT_TRUE(world_.drain(100000)) << "the engine never came to rest";
    for (const Sent& sent : sent_) check_answer(sent);
    EXPECT_THAT(world_.plan->problems, ::testing::IsEmpty());
    EXPECT_EQ(world_.engine->store().used(), world_.engine->store().cache().size()) << "pages leak";
    EXPECT_EQ(world_.engine->store().cache().idle_count(), world_.engine->store().cache().size());
  }

  World& world() { return world_; }
  int preemptions() const { return preemptions_; }
  bool failures_expected = false;

 private:
  std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }

  Request random_request() {
    static constexpr std::array<std::string_view, 4> kBeginnings{"", "system prompt of several pages. ",
                                                                 "system prompt of a few", "x"};
    static constexpr std::array<std::string_view, 6> kStops{"ab", "cde", "aa", "b", "dcb", "eab"};
    std::string prompt(kBeginnings[below(4)]);
    for (std::size_t more = 1 + below(below(4) == 0 ? 40 : 8); more > 0; --more)
      prompt += static_cast<char>('a' + below(3));
    Request request = world_.request(prompt.substr(0, static_cast<std::size_t>(world_.settings.context) - 1));
    request.max_tokens = below(5) == 0 ? -1 : static_cast<std::int64_t>(below(30));
    request.min_tokens = below(3) == 0 ? static_cast<std::int64_t>(below(10)) : 0;
    request.ignore_eos = below(5) == 0;
    request.choices = below(4) == 0 ? static_cast<std::int32_t>(2 + below(5)) : 1;
    request.cache_prompt = below(5) != 0;
    request.sampling.temperature = below(3) == 0 ? 0.0F : 0.9F;
    request.sampling.seed = random_();
    if (below(4) == 0) request.sampling.top_k = 5;
    if (below(4) == 0) request.sampling.top_p = 0.8F;
    if (below(4) == 0) request.sampling.repeat_penalty = 1.2F;
    for (std::size_t stops = below(3); stops > 0; --stops) request.stop.emplace_back(kStops[below(6)]);
    if (below(6) == 0) request.top_logprobs = static_cast<std::int32_t>(below(4));
    request.prompt_logprobs = below(8) == 0;
    return request;
  }

  void submit() {
    Request request = random_request();
    Sent sent;
    sent.id = request.id;
    for (std::int32_t choice = 0; choice < request.choices; ++choice) {
      sent.wanted.push_back(solo_answer(request, choice, *request.sampling.seed, world_.settings.context));
    }
    sent.record = world_.submit(std::move(request));
    sent_.push_back(std::move(sent));
  }

  void cancel(Sent& sent) {
    sent.cancelled = sent.cancelled || !sent.record->over(static_cast<std::int32_t>(sent.wanted.size()));
    world_.engine->cancel(sent.id);
    for (const Sequence* sequence : world_.engine->running())
      ASSERT_NE(sequence->generation->request.id, sent.id);
  }

  void check_step() {
    std::vector<std::pair<const Sequence*, std::int32_t>>
        writing;  // one token to compute, and their length before
    for (const Sequence* sequence : world_.engine->running()) {
      if (sequence->length() - sequence->computed == 1) writing.emplace_back(sequence, sequence->length());
    }
    const std::vector<Sequence*> before(world_.engine->running().begin(), world_.engine->running().end());
    world_.step();
    check_running(before);
    check_pages();
    for (const auto& [sequence, length] : writing) check_got_a_row(sequence, length);
  }

  // A sequence that writes gets a row in every step, unless it was preempted: then no younger one has run.
  void check_got_a_row(const Sequence* sequence, std::int32_t length) {
    const auto shares = world_.engine->last_step();
    const bool served = std::any_of(shares.begin(), shares.end(),
                                    [&](const StepShare& share) { return share.sequence == sequence; });
    if (served) return;
    ++preemptions_;
    ASSERT_EQ(sequence->length(), length);
    for (const StepShare& share : shares)
      ASSERT_TRUE(ByAge{}(share.sequence, sequence)) << "a younger sequence ran instead";
  }

  void check_running(const std::vector<Sequence*>& before) {
    const auto running = world_.engine->running();
    ASSERT_LE(running.size(), static_cast<std::size_t>(world_.settings.engine.parallel));
    ASSERT_TRUE(std::is_sorted(running.begin(), running.end(), ByAge{}));
    for (const Sequence* sequence : running) {
      ASSERT_LT(sequence->computed, sequence->length()) << "something is always left to compute";
      ASSERT_EQ(static_cast<std::int32_t>(sequence->pages.size()),
                world_.engine->store().pages_for(sequence->computed));
      const bool is_new = std::find(before.begin(), before.end(), sequence) == before.end();
      if (!is_new || sequence->choice != 0 || sequence->generation->arrival < newest_admitted_) continue;
      newest_admitted_ = sequence->generation->arrival;
    }
    for (const auto& entry : world_.engine->generations()) {
      if (entry.second->choices[0]->started) continue;
      ASSERT_GE(entry.second->arrival, newest_admitted_) << "somebody overtook in the queue";
    }
    const auto most = std::max(world_.settings.engine.step_rows, world_.settings.engine.parallel);
    ASSERT_LE(world_.plan->largest_step, most);
  }

  void check_pages() {
    const PageStore& store = world_.engine->store();
    std::vector<std::int32_t> owners(static_cast<std::size_t>(store.total()), 0);
    for (const auto& entry : world_.engine->generations()) {
      for (const std::int32_t page : entry.second->fork_pages) ++owners[static_cast<std::size_t>(page)];
      for (const auto& choice : entry.second->choices) {
        for (const std::int32_t page : choice->pages) ++owners[static_cast<std::size_t>(page)];
      }
    }
    std::int32_t used = 0;
    for (std::int32_t page = 0; page < store.total(); ++page) {
      const std::int32_t held = owners[static_cast<std::size_t>(page)];
      const bool cached = store.cache().contains(page);
      ASSERT_EQ(store.pool().owners(page), held + (cached ? 1 : 0)) << "page " << page;
      ASSERT_EQ(store.cache().is_idle(page), cached && held == 0) << "page " << page;
      if (held > 0 || cached) ++used;
    }
    ASSERT_EQ(store.used(), used);
  }

  void check_answer(const Sent& sent) {
    const auto wanted = static_cast<std::int32_t>(sent.wanted.size());
    ASSERT_THAT(sent.record->problems, ::testing::IsEmpty());
    ASSERT_TRUE(sent.record->sink_destroyed);
    ASSERT_TRUE(sent.record->over(wanted));
    if (!sent.record->failures.empty()) {
      const Error& error = sent.record->failures[0];
      ASSERT_TRUE(error.reason == "queue_full" || (failures_expected && error.code == Error::Code::internal))
          << error.what;
      return;
    }
    for (std::int32_t choice = 0; choice < wanted; ++choice) {
      const auto& reply = sent.record->choices.at(choice);
      const SoloAnswer& solo = sent.wanted[static_cast<std::size_t>(choice)];
      if (reply.end.reason == FinishReason::cancelled) {
        ASSERT_TRUE(sent.cancelled);
        continue;
      }
      ASSERT_EQ(reply.text, solo.text);
      ASSERT_EQ(reply.end.reason, solo.reason);
      ASSERT_EQ(reply.end.stop, solo.stop);
      ASSERT_EQ(reply.end.usage.completion_tokens, solo.tokens);
      ASSERT_EQ(reply.started, 1);
    }
  }

  World world_;
  std::mt19937 random_;
  std::vector<Sent> sent_;
  std::uint64_t newest_admitted_ = 0;
  int preemptions_ = 0;
};

TEST(Simulation, PlentyOfPages) {
  WorldOptions options;
  options.pages = 256;
  Simulation simulation(options, 1);
  simulation.run(3000);
}

TEST(Simulation, ScarcePages) {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    WorldOptions options;
    options.pages = 16 + static_cast<std::int32_t>(seed) * 5;  // 16 pages hold one full context
    options.engine.parallel = 8;
    Simulation simulation(options, seed);
    simulation.run(2000);
    EXPECT_GT(simulation.preemptions(), 10);
    EXPECT_GT(simulation.world().plan->copied_pages, 10);
  }
}

TEST(Simulation, TinyStepsAndMoreSequencesThanRows) {
  WorldOptions options;
  options.pages = 40;
  options.page_tokens = 3;
  options.engine.parallel = 6;
  options.engine.step_rows = 2;
  Simulation simulation(options, 7);
  simulation.run(3000);
}

TEST(Simulation, WithoutPrefixCache) {
  WorldOptions options;
  options.pages = 30;
  options.engine.prefix_cache = false;
  Simulation simulation(options, 8);
  simulation.run(2000);
  EXPECT_EQ(simulation.world().counters.read().cached_tokens, 0U);
}

// Slots for a few sequences more than run: checkpoints come and go all the time.
TEST(Simulation, RecurrentState) {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    WorldOptions options;
    options.pages = 24 + static_cast<std::int32_t>(seed) * 8;
    options.slots = 3 + 4 * static_cast<std::int32_t>(seed);
    options.engine.parallel = 4;
    Simulation simulation(options, seed);
    simulation.run(2000);
    const StateSlots& slots = simulation.world().engine->slots();
    EXPECT_EQ(slots.free_count() + slots.checkpoints(), options.slots) << "slots leak";
    EXPECT_GT(simulation.world().plan->copied_slots, 100);
    EXPECT_GT(simulation.world().counters.read().cached_tokens, 100U);
  }
}

TEST(Simulation, RecurrentStateOnAFailingDevice) {
  WorldOptions options;
  options.pages = 40;
  options.slots = 9;
  Simulation simulation(options, 10);
  simulation.failures_expected = true;
  for (std::int64_t step = 20; step < 2000; step += 37) {
    (step % 2 == 0 ? simulation.world().plan->failing_submits : simulation.world().plan->failing_waits)
        .insert(step);
  }
  simulation.run(2000);
}

TEST(Simulation, FailingDevice) {
  WorldOptions options;
  options.pages = 40;
  Simulation simulation(options, 9);
  simulation.failures_expected = true;
  for (std::int64_t step = 20; step < 2000; step += 37) {
    (step % 2 == 0 ? simulation.world().plan->failing_submits : simulation.world().plan->failing_waits)
        .insert(step);
  }
  simulation.run(2000);
  EXPECT_GT(simulation.world().counters.read().failed, 30U);
}

}  // namespace
}  // namespace pensieve::engine
