// Engine text as a client's events: order, flags, ids, finish reasons and counts.
#include "manage/message_sink.h"

#include <gtest/gtest.h>

#include "model/chat/reply_format.h"

namespace pensieve::manage {
namespace {

class Recorder final : public ReplySink {
 public:
  explicit Recorder(std::vector<ReplyEvent>& events) : events_(events) {}
  void on_event(ReplyEvent event) override { events_.push_back(std::move(event)); }

 private:
  std::vector<ReplyEvent>& events_;
};

class MessageSinkTest : public testing::Test {
 protected:
  MessageSinkTest() { begin(false); }
  void begin(bool one_call) {
    const auto format = model::make_reply_format("<tool_call><think></think>", "");
    ChatRequest request;
    request.tools.push_back({"get", "", "", false});
    std::vector<std::unique_ptr<ReplyParser>> parsers;
    parsers.push_back(format->parser(request, "<think>\n"));
    sink_ = std::make_unique<MessageSink>(std::move(parsers), std::make_unique<Recorder>(events_), one_call);
  }
  void text(std::string text, std::vector<TokenLogprob> logprobs = {}) {
    sink_->on_event({0, TextDelta{std::move(text), false, std::move(logprobs), 1}});
  }
  Finished finish(FinishReason reason) {
    sink_->on_event({0, Finished{reason, "", {}, {}}});
    return std::get<Finished>(events_.back().what);
  }

  std::vector<ReplyEvent> events_;
  std::unique_ptr<MessageSink> sink_;
};

TEST_F(MessageSinkTest, ReasoningTextAndCallsComeApart) {
  text("why");
  text("</think>");
  text("\n\nthus");
  text("<tool_call>{\"name\":\"get\",\"arguments\":{\"a\":1}}</tool_call>");
  const Finished finished = finish(FinishReason::stop);
  ASSERT_EQ(events_.size(), 5U);
  EXPECT_EQ(std::get<TextDelta>(events_[0].what).text, "why");
  EXPECT_TRUE(std::get<TextDelta>(events_[0].what).reasoning);
  EXPECT_EQ(std::get<TextDelta>(events_[1].what).text, "thus");
  EXPECT_FALSE(std::get<TextDelta>(events_[1].what).reasoning);
  const auto& call = std::get<ToolCallDelta>(events_[2].what);
  EXPECT_EQ(call.name, "get");
  EXPECT_EQ(call.id.size(), 9U);
  EXPECT_EQ(std::get<ToolCallDelta>(events_[3].what).arguments, R"({"a":1})");
  EXPECT_EQ(finished.reason, FinishReason::tool_calls);
  EXPECT_EQ(finished.usage.reasoning_tokens, 2);
}

TEST_F(MessageSinkTest, WhereOneCallIsAllowedOthersAreLeftOut) {
  begin(true);
  const std::string call = "<tool_call>{\"name\":\"get\",\"arguments\":{\"a\":1}}</tool_call>";
  text("</think>" + call + call);
  text(call + "!");
  EXPECT_EQ(finish(FinishReason::stop).reason, FinishReason::tool_calls);
  std::string arguments;
  for (const ReplyEvent& event : events_) {
    if (const auto* delta = std::get_if<ToolCallDelta>(&event.what)) {
      EXPECT_EQ(delta->index, 0);
      arguments += delta->arguments;
    }
  }
  EXPECT_EQ(arguments, R"({"a":1})");
}

TEST_F(MessageSinkTest, ACutOffAnswerKeepsItsReason) {
  text("</think><tool_call>{\"name\":\"get\"}</tool_call>");
  EXPECT_EQ(finish(FinishReason::length).reason, FinishReason::length);
}

TEST_F(MessageSinkTest, HeldTextIsGivenOutAtTheEnd) {
  text("</think>a <tool_c");
  EXPECT_EQ(finish(FinishReason::stop).reason, FinishReason::stop);
  std::string all;
  for (const ReplyEvent& event : events_) {
    if (const auto* delta = std::get_if<TextDelta>(&event.what)) all += delta->text;
  }
  EXPECT_EQ(all, "a <tool_c");
}

TEST_F(MessageSinkTest, LogProbabilitiesKeepTheirOrderAndNoneIsLost) {
  const auto of = [](std::int32_t token) {
    TokenLogprob logprob;
    logprob.token = token;
    return std::vector<TokenLogprob>{logprob};
  };
  text("why", of(1));
  text("</think>", of(2));
  text("a ", of(3));
  text("b", of(4));
  finish(FinishReason::stop);
  std::vector<std::int32_t> tokens;
  for (const ReplyEvent& event : events_) {
    if (const auto* delta = std::get_if<TextDelta>(&event.what)) {
      for (const TokenLogprob& logprob : delta->logprobs) tokens.push_back(logprob.token);
    }
  }
  EXPECT_EQ(tokens, (std::vector<std::int32_t>{1, 2, 3, 4}));
}

}  // namespace
}  // namespace pensieve::manage
