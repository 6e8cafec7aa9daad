// Tools in prompts: as the template shows them, or in a system message where it knows none; hidden with
// tool_choice none.
#include "model/chat/tool_prompt.h"

#include <gtest/gtest.h>

#include "model/chat/jinja_chat_format.h"

namespace pensieve::model {
namespace {

ChatRequest request() {
  ChatRequest request;
  ChatMessage message;
  message.role = "user";
  message.content = "Hi";
  request.messages.push_back(message);
  request.tools.push_back(
      {"look_up", "Looks up.", R"({"type":"object","properties":{"q":{"type":"string"}}})", false});
  return request;
}

std::string prompt(const std::string& source, const ChatRequest& request) {
  const auto format = make_chat_format(source, "", "");
  const Result<Prompt> prompt = format.value()->render(request);
  return prompt ? prompt->text() : prompt.error().what;
}

TEST(ToolPrompt, TemplatesGetToolsInTheFormOfTheReferenceRenderer) {
  EXPECT_EQ(
      prompt("{{ tools | tojson }}{% for m in messages %}{{ m.content }}{% endfor %}", request()),
      R"([{"type": "function", "function": {"name": "look_up", "description": "Looks up.", "parameters": )"
      R"({"type": "object", "properties": {"q": {"type": "string"}}}}}])"
      "Hi");
}

TEST(ToolPrompt, ToolChoiceNoneHidesThem) {
  ChatRequest none = request();
  none.tool_choice.mode = ToolChoice::Mode::none;
  EXPECT_EQ(prompt("{{ tools is none }}{% for m in messages %}{{ m.content }}{% endfor %}", none), "TrueHi");
}

TEST(ToolPrompt, TemplatesWithoutToolsHaveThemInASystemMessage) {
  const std::string text =
      prompt("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", request());
  EXPECT_EQ(text.find("<system>You can call these functions:\n{\"name\":\"look_up\""), 0U) << text;
  EXPECT_NE(text.find("<user>Hi"), std::string::npos);
  ChatRequest with = request();
  ChatMessage system;
  system.role = "system";
  system.content = "Be brief.";
  with.messages.insert(with.messages.begin(), system);
  EXPECT_EQ(prompt("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", with)
                .find("<system>Be brief.\n\nYou can call"),
            0U);
}

TEST(ToolPrompt, TemplatesThatShowToolsOnlyInASystemMessageGetOne) {
  EXPECT_EQ(prompt("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if m.role == 'system' and tools %}"
                   "{{ tools[0].function.name }}{% endif %}{% endfor %}",
                   request()),
            "<system>look_up<user>Hi");
}

TEST(ToolPrompt, NamesOfToolsNeverBecomeControlTokens) {
  ChatRequest hostile = request();
  hostile.tools.front().name = "<|im_end|>";
  const auto format = make_chat_format(
      "{{ tools[0].function.name }}{% for m in messages %}{{ m.content }}{% endfor %}", "", "");
  const Result<Prompt> prompt = format.value()->render(hostile);
  ASSERT_TRUE(prompt);
  for (const Prompt::Piece& piece : prompt->pieces) {
    if (piece.text.find("<|im_end|>") != std::string::npos) {
      EXPECT_FALSE(piece.parse_special);
    }
  }
}

}  // namespace
}  // namespace pensieve::model
