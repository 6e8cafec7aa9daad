// A stream as its reader sees it: numbered by one, joined when it falls behind, resumed where it stopped,
// ended exactly once however it ends; and how long the server remembers it.
#include "server/streams/generation_stream.h"

#include <gtest/gtest.h>

#include <thread>

#include "server/streams/open_streams.h"
#include "server/testing/fake_services.h"

namespace pensieve::server {
namespace {

class GenerationStreamTest : public ::testing::Test {
 protected:
  ~GenerationStreamTest() override {  // the fake and its streams hold one another until they end
    for (std::size_t id = 1; id <= model_->submitted(); ++id) model_->cancel(id);
  }
  std::shared_ptr<GenerationStream> begin(bool resumable, std::vector<ReplyEvent> script = {}) {
    auto stream = std::make_shared<GenerationStream>("g", "me", resumable);
    model_->set_script(std::move(script));
    stream->submit(model_, {});
    return stream;
  }
  void say(std::string text) { model_->emit(1, {0, TextDelta{std::move(text), false, {}, 1}}); }
  static std::vector<StreamEvent> take(GenerationStream& stream, GenerationStream::Reader reader) {
    std::vector<StreamEvent> events;
    while (auto event = stream.next(reader)) events.push_back(std::move(*event));
    return events;
  }
  static std::string text(const std::vector<StreamEvent>& events) {
    std::string all;
    for (const StreamEvent& event : events) {
      if (const auto* delta = std::get_if<StreamText>(&event.what)) all += delta->text;
    }
    return all;
  }

  std::shared_ptr<testing::FakeInference> model_ = std::make_shared<testing::FakeInference>();
};

TEST_F(GenerationStreamTest, NumbersItsEventsFromCreatedToDone) {
  const auto stream = begin(false, testing::hello());
  const auto events = take(*stream, *stream->attach(0, nullptr));
  ASSERT_EQ(events.size(), 4);
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].sequence, i + 1);
  EXPECT_EQ(std::get<StreamCreated>(events[0].what).model, "fake/model:1");
  EXPECT_EQ(text(events), "Hello wörld");
  EXPECT_EQ(std::get<StreamDone>(events[3].what).usage.completion_tokens, 3);
  EXPECT_TRUE(stream->ended());
  EXPECT_EQ(model_.use_count(), 1) << "an ended stream holds no model";
}

TEST_F(GenerationStreamTest, AReaderThatFallsBehindGetsJoinedTextAndLosesNothing) {
  const auto stream = begin(false, {{0, Started{5, 0}}});
  int wakes = 0;
  const auto reader = *stream->attach(0, [&wakes] { ++wakes; });
  std::string said;
  for (int i = 0; i < 10'000; ++i) {
    say(std::to_string(i) + " ");
    said += std::to_string(i) + " ";
  }
  EXPECT_LT(stream->bytes(), said.size() + 20'000) << "memory is that of the answer";
  EXPECT_EQ(wakes, 1);
  model_->emit(1, {0, Finished{}});
  const auto events = take(*stream, reader);
  EXPECT_EQ(text(events), said);
  EXPECT_LT(events.size(), 70);
  EXPECT_EQ(stream->bytes(), 0) << "what was taken is not kept";
}

TEST_F(GenerationStreamTest, AnotherReaderGoesOnWhereTheFirstStopped) {
  const auto stream = begin(true, {{0, Started{5, 0}}});
  const auto first = *stream->attach(0, nullptr);
  say("one ");
  say("two ");
  const auto seen = take(*stream, first);
  ASSERT_EQ(seen.size(), 3);
  say("three ");
  const auto second = *stream->attach(2, nullptr);
  EXPECT_FALSE(stream->attached(first));
  EXPECT_FALSE(stream->next(first)) << "one reader at a time";
  const auto again = take(*stream, second);
  ASSERT_EQ(again.size(), 2);
  EXPECT_EQ(again[0].sequence, 3);
  EXPECT_EQ(std::get<StreamText>(again[0].what).text, "two ");
  EXPECT_EQ(text(again), "two three ");
  EXPECT_FALSE(stream->attach(9, nullptr)) << "nobody can have seen that event";
}

TEST_F(GenerationStreamTest, EventsThatWereSeenAreNeverChanged) {
  const auto stream = begin(true, {{0, Started{5, 0}}});
  const auto first = *stream->attach(0, nullptr);
  for (int i = 0; i < 100; ++i) say("a");
  const auto seen = take(*stream, first);
  const auto second = *stream->attach(0, nullptr);
  for (int i = 0; i < 100; ++i) say("b");  // far behind: all of this may be joined, but not to what was seen
  const auto again = take(*stream, second);
  ASSERT_GT(again.size(), seen.size());
  for (std::size_t i = 1; i < seen.size(); ++i)
    EXPECT_EQ(std::get<StreamText>(again[i].what).text, std::get<StreamText>(seen[i].what).text);
  EXPECT_EQ(text(again), std::string(100, 'a') + std::string(100, 'b'));
}

TEST_F(GenerationStreamTest, CancellingEndsItAtAnyTime) {
  auto stream = std::make_shared<GenerationStream>("early", "me", false);
  stream->name_model("m");
  stream->cancel();
  stream->submit(model_, {});
  stream->refuse({Error::Code::internal, "late", {}, {}, {}});
  EXPECT_EQ(model_->submitted(), 0) << "cancelled while its model was loading";
  auto events = take(*stream, *stream->attach(0, nullptr));
  ASSERT_EQ(events.size(), 2);
  EXPECT_EQ(std::get<StreamCreated>(events[0].what).model, "m");
  EXPECT_EQ(std::get<StreamDone>(events[1].what).reason, FinishReason::cancelled);

  stream = begin(false, {{0, Started{5, 0}}});
  stream->cancel();
  stream->cancel();
  events = take(*stream, *stream->attach(0, nullptr));
  ASSERT_EQ(events.size(), 2);
  EXPECT_EQ(std::get<StreamDone>(events[1].what).reason, FinishReason::cancelled);
}

TEST_F(GenerationStreamTest, AModelThatStopsUnasked) {
  const auto stream = begin(false, {{0, Started{5, 0}}, {0, Finished{FinishReason::cancelled, "", {}, {}}}});
  const auto events = take(*stream, *stream->attach(0, nullptr));
  EXPECT_EQ(std::get<Error>(events.back().what).reason, "generation_stopped");
}

class OpenStreamsTest : public GenerationStreamTest {};

TEST_F(OpenStreamsTest, IdsAreUniqueWhileInUseAndPrivateToTheirOwner) {
  OpenStreams streams({});
  const auto stream = *streams.open("a", "me", false);
  EXPECT_EQ(streams.open("a", "me", false).error().reason, "id_in_use");
  EXPECT_TRUE(streams.find("a", "me"));
  EXPECT_EQ(streams.find("a", "you").error().reason, "generation_not_found");
  EXPECT_TRUE(streams.open("a", "you", false)) << "what others call theirs is not in the way";
  streams.leave(stream, *stream->attach(0, nullptr));
  EXPECT_TRUE(stream->ended()) << "leaving cancels";
  EXPECT_TRUE(streams.open("a", "me", false));
}

TEST_F(OpenStreamsTest, AResumableStreamOutlivesItsReader) {
  OpenStreams streams({});
  const auto stream = *streams.open("a", "me", true);
  stream->submit(model_, {});
  const auto first = *stream->attach(0, nullptr);
  streams.leave(stream, first);
  EXPECT_FALSE(stream->ended());
  const auto second = *stream->attach(0, nullptr);
  streams.resumed(stream);
  streams.leave(stream, first);
  EXPECT_TRUE(stream->attached(second)) << "only the present reader can leave";
  EXPECT_EQ(streams.open("a", "me", false).error().reason, "id_in_use");
}

TEST_F(OpenStreamsTest, KeptStreamsAreForgottenInTimeOrForRoom) {
  OpenStreams soon({.keep = std::chrono::seconds(0)});
  const auto running = *soon.open("a", "me", true);
  running->submit(model_, {});
  soon.leave(running, *running->attach(0, nullptr));
  model_->wait_for_cancel(1);
  while (soon.size() > 0) std::this_thread::yield();

  OpenStreams small({.bytes = 1});
  const auto full = *small.open("b", "me", true);
  full->refuse({Error::Code::invalid, "no", {}, {}, {}});
  small.leave(full, *full->attach(0, nullptr));
  EXPECT_EQ(small.size(), 0);

  OpenStreams few({.streams = 1});
  EXPECT_TRUE(few.open("c", "me", false));
  EXPECT_EQ(few.open("d", "me", false).error().code, Error::Code::exhausted);
}

TEST_F(OpenStreamsTest, StreamsThatAreOnlyKeptGiveWay) {
  OpenStreams streams({.streams = 2});
  const auto keep = [&](const char* id) {
    const auto stream = *streams.open(id, "me", true);
    stream->refuse({Error::Code::invalid, "no", {}, {}, {}});
    EXPECT_TRUE(streams.cancel(id, "me")) << "its end was not told yet";
    streams.leave(stream, *stream->attach(0, nullptr));
    EXPECT_EQ(streams.cancel(id, "me").error().reason, "generation_not_found");
  };
  keep("a");
  keep("b");
  EXPECT_TRUE(streams.open("b", "me", false)) << "its id is not in use any more";
  EXPECT_TRUE(streams.find("a", "me")) << "there was room";
  EXPECT_TRUE(streams.open("c", "me", false));
  EXPECT_FALSE(streams.find("a", "me"));
  EXPECT_EQ(streams.open("d", "me", false).error().code, Error::Code::exhausted);
}

}  // namespace
}  // namespace pensieve::server
