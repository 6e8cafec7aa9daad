// What the log says of a generation: whose it was, how it ended, and nothing of its content.
#include "manage/logged_sink.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace pensieve::manage {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Counting final : public ReplySink {
 public:
  explicit Counting(int& events) : events_(events) {}
  void on_event(ReplyEvent) override { ++events_; }

 private:
  int& events_;
};

// The lines that these events leave behind.
std::string logged(const std::vector<ReplyEvent>& events, util::LogLevel level, int& handed_on) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  util::Log log(level, util::LogFormat::json, fileno(file.get()));
  const auto sink = logged_sink(std::make_unique<Counting>(handed_on), log, "tiny", "req-7");
  for (const ReplyEvent& event : events) sink->on_event(event);
  std::string text(4096, '\0');
  text.resize(static_cast<std::size_t>(pread(fileno(file.get()), text.data(), text.size(), 0)));
  return text;
}

Finished cancelled_after(std::int64_t tokens) {
  Finished finished;
  finished.reason = FinishReason::cancelled;
  finished.usage.completion_tokens = tokens;
  return finished;
}

TEST(LoggedSink, FollowsAGenerationByTheIdOfItsRequest) {
  int handed_on = 0;
  const std::vector<ReplyEvent> events{
      {0, Started{5, 2}}, {0, TextDelta{"a secret", false, {}, 1}}, {0, cancelled_after(3)}};
  const std::string all = logged(events, util::LogLevel::debug, handed_on);
  EXPECT_EQ(handed_on, 3);
  EXPECT_THAT(all, AllOf(HasSubstr("generation_started"), HasSubstr("\"prompt_tokens\":5"),
                         HasSubstr("\"cached_tokens\":2")));
  EXPECT_THAT(all, AllOf(HasSubstr("generation_finished"), HasSubstr("\"reason\":\"cancelled\""),
                         HasSubstr("\"completion_tokens\":3"), HasSubstr("\"id\":\"req-7\"")));
  EXPECT_THAT(all, Not(HasSubstr("secret")));
  const std::string normal = logged(events, util::LogLevel::info, handed_on);
  EXPECT_THAT(normal, AllOf(HasSubstr("generation_finished"), Not(HasSubstr("generation_started"))));
}

TEST(LoggedSink, TellsWhoseFaultAFailureIs) {
  int handed_on = 0;
  const Error refused{
      Error::Code::invalid, "the prompt is too long", "prompt", "context_length_exceeded", {}};
  EXPECT_THAT(logged({{0, Failed{refused}}}, util::LogLevel::debug, handed_on),
              AllOf(HasSubstr("generation_failed"), HasSubstr("\"level\":\"info\""),
                    HasSubstr("context_length_exceeded"), HasSubstr("req-7"), HasSubstr("too long")));
  const Error broken{Error::Code::internal, "the device failed", "", "", {}};
  EXPECT_THAT(logged({{0, Failed{broken}}}, util::LogLevel::warn, handed_on),
              HasSubstr("\"level\":\"error\""));
  EXPECT_EQ(handed_on, 2);
}

}  // namespace
}  // namespace pensieve::manage
