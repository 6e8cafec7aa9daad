// Workers that crash, stall, babble, flood and close: real processes, of the shell. What an honest one does
// is tested with the program itself (tests/program/test_workers.py).
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <stdexcept>

#include "manage/worker/examination.h"
#include "manage/worker/worker_inference.h"
#include "manage/worker/workers.h"

namespace pensieve::manage {
namespace {

using std::chrono::milliseconds;
using testing::AnyOf;
using testing::HasSubstr;

Launch shell(const std::string& script) {
  return {"/bin/sh", {"-c", script}};
}

// A frame as `printf` of the shell writes it.
std::string printf_of(const wire::ToGateway& message) {
  std::string frame, script = "printf '%b' '";
  wire::append_frame(message, frame);
  for (const char byte : frame) {
    constexpr char kDigits[] = "01234567";
    const auto value = static_cast<unsigned char>(byte);
    script += {'\\', '0', kDigits[value >> 6], kDigits[value >> 3 & 7], kDigits[value & 7]};
  }
  return script + "' >&3;";
}

std::string ready() {
  ModelInfo info;
  info.name = "shell";
  info.effective_context = 100;
  return printf_of(wire::Ready{info});
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    EXPECT_EQ(pipe(log_ends_), 0);
    log_ = std::make_unique<util::Log>(util::LogLevel::debug, util::LogFormat::json, log_ends_[1]);
  }
  ~WorkerTest() override {
    close(log_ends_[0]);
    close(log_ends_[1]);
  }
  Result<std::unique_ptr<WorkerInference>> start(const std::string& script,
                                                 milliseconds silence = milliseconds(60'000),
                                                 milliseconds stall = milliseconds(60'000)) {
    WorkerOrder order;
    order.launch = shell(script);
    order.load.name = "shell";
    order.silence = silence;
    order.stall = stall;
    return WorkerInference::start(order, *log_);
  }
  std::string logged() {
    std::string text(1 << 16, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read(log_ends_[0], text.data(), text.size()))));
    return text;
  }

  int log_ends_[2];
  std::unique_ptr<util::Log> log_;
};

class PromiseSink final : public ReplySink {
 public:
  explicit PromiseSink(std::promise<ReplyEvent>& last) : last_(last) {}
  void on_event(ReplyEvent event) override {
    if (std::holds_alternative<Failed>(event.what)) last_.set_value(std::move(event));
  }

 private:
  std::promise<ReplyEvent>& last_;
};

// The reason of the error that a generation ends with.
std::string ending_of_a_generation(Inference& model) {
  std::promise<ReplyEvent> last;
  model.submit({}, std::make_unique<PromiseSink>(last));
  return std::get<Failed>(last.get_future().get().what).error.reason;
}

TEST_F(WorkerTest, AProcessThatEndsBeforeItIsReadyFailsTheLoad) {
  const auto model = start("exit 7");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Error::Code::unavailable);
  EXPECT_EQ(model.error().reason, "worker_crashed");
  EXPECT_THAT(model.error().what, HasSubstr("exit code 7"));
}

TEST_F(WorkerTest, AProgramThatIsNotThereFailsTheLoad) {
  WorkerOrder order;
  order.launch.program = "/nonexistent/pensieve";
  const auto model = WorkerInference::start(order, *log_);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().reason, "worker_not_started");
}

TEST_F(WorkerTest, ATypedLoadErrorArrives) {
  const auto model =
      start(printf_of(wire::LoadFailed{{Error::Code::exhausted, "too large", "model", "out_of_memory", {}}}) +
            "exit 0");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Error::Code::exhausted);
  EXPECT_EQ(model.error().reason, "out_of_memory");
}

TEST_F(WorkerTest, ACrashEndsWhatRunsAndWhateverIsAskedLater) {
  auto model = start(ready() + "head -c 5 <&3 >/dev/null; kill -SEGV $$");
  ASSERT_TRUE(model) << model.error().what;
  EXPECT_EQ((*model)->info().name, "shell");
  EXPECT_EQ(ending_of_a_generation(**model), "worker_crashed");
  EXPECT_FALSE((*model)->alive());
  EXPECT_EQ(ending_of_a_generation(**model), "worker_crashed");
  std::promise<std::string> reason;
  (*model)->tokenize("x", {},
                     [&](const Result<TokenizedText>& text) { reason.set_value(text.error().reason); });
  EXPECT_EQ(reason.get_future().get(), "worker_crashed");
  (*model)->cancel(1);
  model->reset();
  EXPECT_THAT(logged(), HasSubstr("signal 11"));
}

TEST_F(WorkerTest, GarbageIsTheEndOfIt) {
  auto model = start(ready() + "sleep 0.1; printf '%b' '\\05\\0\\0\\0abcde' >&3; sleep 60");
  ASSERT_TRUE(model);
  EXPECT_EQ(ending_of_a_generation(**model), "worker_misbehaved");
}

TEST_F(WorkerTest, AFloodIsTheEndOfIt) {
  auto model = start(ready() + "sleep 0.1; yes >&3; sleep 60");
  ASSERT_TRUE(model);
  EXPECT_EQ(ending_of_a_generation(**model), "worker_misbehaved");
}

TEST_F(WorkerTest, AClosedSocketIsTheEndOfIt) {
  auto model = start(ready() + "exec 3>&-; sleep 60");
  ASSERT_TRUE(model);
  EXPECT_EQ(ending_of_a_generation(**model), "worker_crashed");
}

TEST_F(WorkerTest, SilenceIsTheEndOfIt) {
  auto model = start(ready() + "sleep 60", milliseconds(300));
  ASSERT_TRUE(model);
  EXPECT_EQ(ending_of_a_generation(**model), "worker_stalled");
}

TEST_F(WorkerTest, AQuestionThatIsNeverAnsweredIsTheEndOfIt) {
  const std::string lively = ready() + "while :; do " + printf_of(wire::Stats{}) + " sleep 0.05; done";
  for (const bool vectors : {false, true}) {
    auto model = start(lively, milliseconds(60'000), milliseconds(300));
    ASSERT_TRUE(model);
    std::promise<std::string> reason;
    if (vectors) {
      (*model)->embed({"", {"x"}, false},
                      [&](const Result<Embeddings>& made) { reason.set_value(made.error().reason); });
    } else {
      (*model)->tokenize("x", {},
                         [&](const Result<TokenizedText>& text) { reason.set_value(text.error().reason); });
    }
    EXPECT_EQ(reason.get_future().get(), "worker_stalled");
  }
}

TEST_F(WorkerTest, ACallbackThatThrowsEndsNothing) {
  auto model = start(ready() + "exit 1");
  ASSERT_TRUE(model);
  EXPECT_EQ(ending_of_a_generation(**model), "worker_crashed");
  (*model)->tokenize("x", {}, [](const Result<TokenizedText>&) { throw std::runtime_error("no"); });
  EXPECT_EQ(ending_of_a_generation(**model), "worker_crashed");
}

TEST_F(WorkerTest, UnloadingEndsAProcessThatDoesNotListen) {
  auto model = start(ready() + "trap '' TERM INT HUP; while :; do sleep 1; done");
  ASSERT_TRUE(model);
  std::promise<ReplyEvent> last;
  (*model)->submit({}, std::make_unique<PromiseSink>(last));
  model->reset();
  EXPECT_EQ(std::get<Failed>(last.get_future().get().what).error.reason, "model_unloading");
}

TEST_F(WorkerTest, NothingIsLeftOpen) {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 10; ++i) {
    (void)start(i % 2 == 0 ? "exit 1" : ready() + "exit 0");
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(WorkerTest, AWorkerGetsNoOtherDescriptors) {
  auto model = start("ls /proc/self/fd | tr '\\n' ' ' >&2; exit 1");
  ASSERT_FALSE(model);
  // 4 is the folder that `ls` itself has open.
  EXPECT_THAT(logged(), HasSubstr("\"text\":\"0 1 2 3 4 \""));
}

TEST_F(WorkerTest, ItsOutputBecomesLinesOfTheLog) {
  (void)start(
      R"(echo '{"time":"x","level":"warn","event":"odd","id":"req-1","n":3,"a b":1}' >&2; echo free; exit 1)");
  const std::string text = logged();
  EXPECT_THAT(text, HasSubstr(R"("level":"warn","event":"odd","id":"req-1","n":3,"worker":)"));
  EXPECT_THAT(text, HasSubstr(R"("event":"worker_output","model":"shell","text":"free","worker":)"));
}

TEST_F(WorkerTest, AFileThatEndsTheExaminerIsSkippedAndNamed) {
  // The first run describes one file and dies on the second, the next describes the rest.
  const std::filesystem::path flag = std::filesystem::path(testing::TempDir()) / "examined_once";
  std::filesystem::remove(flag);
  model::Examined good;
  good.info.name = "good";
  const std::string answer = printf_of(wire::Examined{0, good});
  const std::string script = "head -c 5 <&3 >/dev/null; if [ -e '" + flag.string() + "' ]; then " + answer +
                             " sleep 60; else touch '" + flag.string() + "'; " + answer +
                             " kill -SEGV $$; fi";
  const auto files =
      examine_apart(shell(script), {"/m/a.gguf", "/m/b.gguf", "/m/c.gguf"}, milliseconds(60'000), *log_);
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0].info.path, "/m/a.gguf");
  EXPECT_EQ(files[0].info.name, "good");
  ASSERT_TRUE(files[1].refusal);
  EXPECT_THAT(files[1].refusal->what, HasSubstr("signal 11"));
  EXPECT_THAT(files[1].problem, HasSubstr("b.gguf"));
  EXPECT_THAT(files[1].problem, testing::Not(HasSubstr("/m/"))) << "shown to clients";
  EXPECT_FALSE(files[2].refusal);
  std::filesystem::remove(flag);
}

TEST_F(WorkerTest, AnExaminerThatNeverEndsIsEnded) {
  const auto files = examine_apart(shell("sleep 60"), {"/m/a.gguf"}, milliseconds(200), *log_);
  ASSERT_EQ(files.size(), 1U);
  EXPECT_TRUE(files[0].refusal);
}

TEST_F(WorkerTest, AModelThatKeepsDyingIsNotStartedAgainAtOnce) {
  Workers workers({}, {}, {}, *log_, shell("exit 1"));
  ModelInfo info;
  info.name = "doomed";
  info.path = "/m/doomed.gguf";
  std::string reason;
  for (int i = 0; i < 10 && reason != "worker_restarting"; ++i)
    reason = workers.load(info, {}).error().reason;
  EXPECT_EQ(reason, "worker_restarting");
}

TEST(BackOff, DoublesUpToALimitAndForgetsAfterALoad) {
  BackOff back_off;
  const BackOff::Clock::time_point now{};
  EXPECT_EQ(back_off.remaining(now), milliseconds(0));
  back_off.died(now);
  EXPECT_EQ(back_off.remaining(now), milliseconds(100));
  back_off.died(now);
  EXPECT_EQ(back_off.remaining(now), milliseconds(200));
  EXPECT_EQ(back_off.remaining(now + milliseconds(500)), milliseconds(0));
  for (int i = 0; i < 40; ++i) back_off.died(now);
  EXPECT_EQ(back_off.remaining(now), milliseconds(30'000));
  back_off.lived();
  back_off.died(now);
  EXPECT_EQ(back_off.remaining(now), milliseconds(100));
}

}  // namespace
}  // namespace pensieve::manage
