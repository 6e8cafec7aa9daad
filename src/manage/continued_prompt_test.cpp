// Answers that have begun: the model reads its own words last, outside of its thinking.
#include "manage/continued_prompt.h"

#include <gtest/gtest.h>

namespace pensieve::manage {
namespace {

class MarkedFormat final : public ReplyFormat {
 public:
  explicit MarkedFormat(bool opened) : opened_(opened) {}
  std::unique_ptr<ReplyParser> parser(const ChatRequest&, std::optional<std::string_view>) const override {
    return nullptr;
  }
  EnforcedForm enforced_form() const override {
    EnforcedForm form;
    form.content = "<final>";
    return form;
  }
  std::unique_ptr<ReplyParser> enforced_parser(std::string_view) const override { return nullptr; }
  std::optional<ThinkingForm> thinking(std::string_view) const override {
    return ThinkingForm{"<think>", "</think>", opened_};
  }
  std::span<const std::string> markers() const override { return {}; }

 private:
  bool opened_;
};

Result<Prompt> render(const ChatRequest& request) {
  Prompt prompt;
  for (const ChatMessage& message : request.messages)
    prompt.pieces.push_back({"[" + message.role + ":" + message.content.value_or("") + "]", true});
  if (request.add_generation_prompt) prompt.pieces.push_back({"[assistant:", true});
  return prompt;
}

ChatRequest begun(const std::string& reasoning = "") {
  ChatRequest request;
  request.messages.resize(2);
  request.messages[0].role = "user";
  request.messages[0].content = "Hi";
  request.messages[1].role = "assistant";
  request.messages[1].content = "The <end> is";
  request.messages[1].reasoning_content = reasoning;
  request.add_generation_prompt = false;
  return request;
}

TEST(ContinuedPrompt, TheAnswersBeginningComesLastAndIsPlainText) {
  const auto prompt = render_to_answer(begun(), nullptr, render);
  ASSERT_TRUE(prompt);
  EXPECT_EQ(prompt->text(), "[user:Hi][assistant:The <end> is");
  EXPECT_FALSE(prompt->pieces.back().parse_special);
}

TEST(ContinuedPrompt, ThinkingIsOverBeforeIt) {
  const MarkedFormat closed(false), open(true);
  EXPECT_EQ(render_to_answer(begun(), &closed, render)->text(), "[user:Hi][assistant:<final>The <end> is");
  EXPECT_EQ(render_to_answer(begun(), &open, render)->text(),
            "[user:Hi][assistant:</think><final>The <end> is");
  EXPECT_EQ(render_to_answer(begun("hm"), &closed, render)->text(),
            "[user:Hi][assistant:<think>hm</think><final>The <end> is");
}

TEST(ContinuedPrompt, OtherConversationsAreRenderedAsTheyAre) {
  ChatRequest asks_anew = begun();
  asks_anew.add_generation_prompt = true;
  EXPECT_EQ(render_to_answer(asks_anew, nullptr, render)->text(),
            "[user:Hi][assistant:The <end> is][assistant:");
  ChatRequest calls = begun();
  calls.messages.back().tool_calls.push_back({"1", "ping", "{}"});
  EXPECT_EQ(render_to_answer(calls, nullptr, render)->text(), "[user:Hi][assistant:The <end> is]");
}

}  // namespace
}  // namespace pensieve::manage
