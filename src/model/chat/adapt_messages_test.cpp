// The single steps of adaptation: what moves where, and that nothing is dropped.
#include "model/chat/adapt_messages.h"

#include <gtest/gtest.h>

namespace pensieve::model {
namespace {

ChatMessage message(std::string role, std::optional<std::string> content) {
  ChatMessage result;
  result.role = std::move(role);
  result.content = std::move(content);
  return result;
}

std::string summary(const std::vector<ChatMessage>& messages) {
  std::string out;
  for (const ChatMessage& each : messages) {
    out += each.role + ":" + each.content.value_or("null");
    for (const ToolCall& call : each.tool_calls) out += "+" + call.name;
    out += "|";
  }
  return out;
}

TEST(AdaptMessagesTest, DeveloperIsSystem) {
  EXPECT_EQ(summary(with_known_roles({message("developer", "a"), message("user", "b")})), "system:a|user:b|");
}

TEST(AdaptMessagesTest, WithoutStepsNothingChanges) {
  EXPECT_EQ(summary(adapt_messages(
                {message("assistant", std::nullopt), message("assistant", "a"), message("system", "b")}, {})),
            "assistant:null|assistant:a|system:b|");
}

TEST(AdaptMessagesTest, NeighboursOfOneRoleMergeWithTheirCalls) {
  ChatMessage first = message("assistant", std::nullopt), second = message("assistant", "text");
  first.tool_calls.push_back({"1", "f", "{}"});
  second.tool_calls.push_back({"2", "g", "{}"});
  EXPECT_EQ(summary(adapt_messages({message("user", "a"), message("user", "b"), first, second},
                                   {.alternate = true})),
            "user:a\n\nb|assistant:text+f+g|");
}

TEST(AdaptMessagesTest, ResultsOfDifferentCallsStayApart) {
  EXPECT_EQ(summary(adapt_messages({message("user", "a"), message("tool", "x"), message("tool", "y")},
                                   {.alternate = true})),
            "user:a|tool:x|tool:y|");
}

TEST(AdaptMessagesTest, AReplyIsPrecededByAUser) {
  EXPECT_EQ(summary(adapt_messages({message("assistant", "a")}, {.alternate = true})), "user:|assistant:a|");
  EXPECT_EQ(summary(adapt_messages({message("system", "s"), message("assistant", "a")}, {.alternate = true})),
            "system:s|user:|assistant:a|");
}

TEST(AdaptMessagesTest, LateSystemsGoIntoTheNextUserMessage) {
  const std::vector<ChatMessage> messages{message("system", "s"), message("user", "a"),
                                          message("system", "t"), message("assistant", "b"),
                                          message("system", "u"), message("user", "c")};
  EXPECT_EQ(summary(adapt_messages(messages, {.move_late_system = true})),
            "system:s|user:a|assistant:b|user:t\n\nu\n\nc|");
  EXPECT_EQ(summary(adapt_messages(messages, {.move_late_system = true, .move_system = true})),
            "user:s\n\na|assistant:b|user:t\n\nu\n\nc|");
  EXPECT_EQ(
      summary(adapt_messages({message("user", "a"), message("system", "t")}, {.move_late_system = true})),
      "user:a|user:t|");
}

TEST(AdaptMessagesTest, ToolsBecomeText) {
  ChatMessage reply = message("assistant", "wait"), result = message("tool", "42");
  reply.tool_calls.push_back({"1", "a\"b", R"({"x":1})"});
  reply.tool_calls.push_back({"2", "g", ""});
  result.name = "g";
  EXPECT_EQ(summary(adapt_messages({reply, result}, {.tools_as_text = true})),
            "assistant:wait\n\n{\"name\": \"a\\\"b\", \"arguments\": {\"x\":1}}\n\n{\"name\": \"g\", "
            "\"arguments\": {}}|user:Result of g:\n42|");
}

TEST(AdaptMessagesTest, TheLadderStartsGently) {
  ASSERT_FALSE(adaptations().empty());
  EXPECT_FALSE(adaptations().front().move_system || adaptations().front().alternate ||
               adaptations().front().tools_as_text);
  EXPECT_TRUE(adaptations().back().move_system && adaptations().back().tools_as_text);
}

}  // namespace
}  // namespace pensieve::model
