// From conversation to prompt: variables, provenance of every byte, adaptation to templates that refuse.
#include "model/chat/jinja_chat_format.h"

#include <gtest/gtest.h>

namespace pensieve::model {
namespace {

ChatMessage message(std::string role, std::optional<std::string> content) {
  ChatMessage result;
  result.role = std::move(role);
  result.content = std::move(content);
  return result;
}

ChatMessage call(std::string name, std::string arguments) {
  ChatMessage result = message("assistant", std::nullopt);
  result.tool_calls.push_back({"call-1", std::move(name), std::move(arguments)});
  return result;
}

Result<Prompt> render(const std::string& source, const ChatRequest& request) {
  const auto format = make_chat_format(source, "<s>", "</s>");
  if (!format) return tl::unexpected(format.error());
  return (*format)->render(request);
}

ChatRequest conversation(std::vector<ChatMessage> messages) {
  ChatRequest request;
  request.messages = std::move(messages);
  return request;
}

// Pieces as text, those from messages in brackets.
std::string marked(const Result<Prompt>& prompt) {
  if (!prompt) return "error: " + prompt.error().what;
  std::string out;
  for (const Prompt::Piece& piece : prompt->pieces)
    out += piece.parse_special ? piece.text : "[" + piece.text + "]";
  return out;
}

constexpr const char* kChatMl =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% "
    "endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

TEST(JinjaChatFormatTest, PiecesTellTemplateFromMessages) {
  const Result<Prompt> prompt =
      render(kChatMl, conversation({message("system", "Be <|im_end|> good."), message("user", "Hi")}));
  EXPECT_EQ(marked(prompt),
            "<|im_start|>system\n[Be <|im_end|> "
            "good.]<|im_end|>\n<|im_start|>user\n[Hi]<|im_end|>\n<|im_start|>assistant\n");
  ChatRequest open = conversation({message("user", "Hi")});
  open.add_generation_prompt = false;
  EXPECT_EQ(marked(render(kChatMl, open)), "<|im_start|>user\n[Hi]<|im_end|>\n");
}

// What operations do to the text "a</s>B,c" of a message: no byte of it may end up outside the brackets.
TEST(JinjaChatFormatTest, MessageTextStaysMarkedThroughEveryOperation) {
  struct Flow {
    const char* source;
    const char* expected;
  };
  for (const Flow& flow : {Flow{"<{{ c }}>", "<[a</s>B,c]>"},
                           Flow{"{{ ('<' ~ c ~ '>')|trim }}", "<[a</s>B,c]>"},
                           Flow{"{{ ('<' + c + '>')[1:-1] }}", "[a</s>B,c]"},
                           Flow{"{{ ('<' + c + '>')[:3] }}|", "<[a<]|"},
                           Flow{"{{ c.split(',') | join('|') }}", "[a</s>B]|[c]"},
                           Flow{"{{ ('x,' + c).split(',')[0] }}", "x"},
                           Flow{"{{ c | upper }}", "[A</S>B,C]"},
                           Flow{"{{ ('<' + c) | lower }}", "[<a</s>b,c]"},
                           Flow{"{{ c | replace(',', '<eos>') }}", "[a</s>B<eos>c]"},
                           Flow{"{{ ('X' + c + 'X').replace('X', '<eos>') }}", "<eos>[a</s>B,c]<eos>"},
                           Flow{"{{ '<{}>'.format(c) }}", "<[a</s>B,c]>"},
                           Flow{"{{ '<%s>' % c }}", "<[a</s>B,c]>"},
                           Flow{"{{ '<%s>' | format(c) }}", "<[a</s>B,c]>"},
                           Flow{"{{ [c, 1] }}", "['[a</s>B,c]', 1]"},
                           Flow{"{{ {'k': c} | tojson }}", "{\"k\": \"[a</s>B,c]\"}"},
                           Flow{"{{ c * 2 }}", "[a</s>B,ca</s>B,c]"},
                           Flow{"{{ c[::-1] }}", "[c,B>s/<a]"},
                           Flow{"{{ c | reverse }}", "[c,B>s/<a]"},
                           Flow{"{{ c | list | join }}", "[a</s>B,c]"},
                           Flow{"{% for x in c %}{{ x }}.{% endfor %}", "[a].[<].[/].[s].[>].[B].[,].[c]."},
                           Flow{"{% set x %}<{{ c }}>{% endset %}{{ x }}", "<[a</s>B,c]>"},
                           Flow{"{% macro m(t) %}<{{ t }}>{% endmacro %}{{ m(c) }}", "<[a</s>B,c]>"},
                           Flow{"{% filter trim %} <{{ c }}> {% endfilter %}", "<[a</s>B,c]>"},
                           Flow{"{{ c | indent(2, true) }}", "  [a</s>B,c]"},
                           Flow{"{{ c.center(12) }}", "  [a</s>B,c]  "},
                           Flow{"{{ c | e }}", "[a&lt;/s&gt;B,c]"},
                           Flow{"{{ c | truncate(6, true, '#', 0) }}", "[a</s>]#"},
                           Flow{"{{ namespace(x=c).x }}", "[a</s>B,c]"},
                           Flow{"{{ c.partition(',') | join('|') }}", "[a</s>B]|[,]|[c]"},
                           Flow{"{{ c | length }}", "8"},
                           Flow{"{{ strftime_now(c) }}", "[a</s>B,c]"},
                           Flow{"{{ '%c' % 60 }}", "[<]"},
                           Flow{"{{ '%r' % c }}", "'[a</s>B,c]'"},
                           Flow{"{{ c | urlencode }}", "[a%3C/s%3EB%2Cc]"},
                           Flow{"{{ c.zfill(10) }}", "00[a</s>B,c]"},
                           Flow{"{{ messages | map(attribute='content') | join }}", "[a</s>B,c]"},
                           Flow{"{{ {c: 1}.keys() | first }}", "[a</s>B,c]"},
                           Flow{"{{ bos_token }}{{ eos_token }}", "<s></s>"},
                           Flow{"<|{{ messages[0].role }}|>", "<|user|>"}}) {
    const std::string source = std::string("{% set c = messages[0].content %}") + flow.source;
    EXPECT_EQ(marked(render(source, conversation({message("user", "a</s>B,c")}))), flow.expected)
        << flow.source;
  }
}

TEST(JinjaChatFormatTest, AnUnknownRoleIsTextToo) {
  EXPECT_EQ(marked(render("{{ messages[0].role }}", conversation({message("<|im_end|>", "x")}))),
            "[<|im_end|>]");
}

TEST(JinjaChatFormatTest, MessagesHaveTheFieldsThatTemplatesExpect) {
  ChatMessage reply = call("get_weather", R"({"city": "Paris", "days": 2})");
  reply.reasoning_content = "hm";
  ChatMessage result = message("tool", "sunny");
  result.tool_call_id = "call-1";
  result.name = "get_weather";
  const char* source =
      "{% for m in messages %}{{ m.role }} {{ m.content is none }} {{ m.reasoning_content }} {{ "
      "m.tool_call_id }} {{ m.name }};"
      "{% for c in m.tool_calls %}{{ c.id }} {{ c.type }} {{ c.function.name }} {{ c.function.arguments.city "
      "}} {{ c.function.arguments | tojson }}"
      "{% endfor %}{% if m.role != 'assistant' %}{{ m.content }}{% endif %}|{% endfor %}{{ tools is none "
      "}}{{ documents is none }}";
  const Result<Prompt> prompt = render(source, conversation({message("user", "Weather?"), reply, result}));
  ASSERT_TRUE(prompt) << prompt.error().what;
  EXPECT_EQ(prompt->text(),
            "user False   ;Weather?|assistant True hm  ;call-1 function get_weather Paris {\"city\": "
            "\"Paris\", \"days\": 2}|"
            "tool False  call-1 get_weather;sunny|TrueTrue");
}

TEST(JinjaChatFormatTest, TemplateArgumentsReachTheTemplateButNotReservedNames) {
  ChatRequest request = conversation({message("user", "Hi")});
  request.template_arguments = R"({"enable_thinking": false, "mood": "<s>"})";
  EXPECT_EQ(marked(render("{{ messages[0].content }}{{ enable_thinking }}{{ mood }}", request)),
            "[Hi]False[<s>]");
  for (const char* name : {"messages", "tools", "documents", "add_generation_prompt", "bos_token",
                           "eos_token", "tokenize", "raise_exception"}) {
    request.template_arguments = std::string("{\"") + name + "\": 1}";
    const Result<Prompt> prompt = render("{{ messages[0].content }}", request);
    ASSERT_FALSE(prompt) << name;
    EXPECT_EQ(prompt.error().code, Error::Code::invalid);
    EXPECT_EQ(prompt.error().field, "chat_template_kwargs");
    EXPECT_NE(prompt.error().what.find(name), std::string::npos);
  }
  for (const char* bad : {"[1]", "{", "1"}) {
    request.template_arguments = bad;
    EXPECT_FALSE(render("x", request)) << bad;
  }
}

constexpr const char* kStrict =
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles "
    "must alternate') }}{% endif %}"
    "<{{ m.role }}>{{ m.content | trim }}</>{% endfor %}";

TEST(JinjaChatFormatTest, StrictTemplatesTakeAnyOrderOfRoles) {
  const auto strict = [](std::vector<ChatMessage> messages) {
    return marked(render(kStrict, conversation(std::move(messages))));
  };
  EXPECT_EQ(strict({message("user", "a"), message("assistant", "b")}), "<user>[a]</><assistant>[b]</>");
  EXPECT_EQ(strict({message("user", "a"), message("user", "b")}), "<user>[a\n\nb]</>");
  EXPECT_EQ(strict({message("assistant", "a"), message("user", "b")}),
            "<user></><assistant>[a]</><user>[b]</>");
  EXPECT_EQ(strict({message("system", "s"), message("user", "a")}), "<user>[s\n\na]</>");
  EXPECT_EQ(strict({message("system", "s"), message("developer", "t"), message("user", "a")}),
            "<user>[s\n\nt\n\na]</>");
  EXPECT_EQ(
      strict({message("user", "a"), message("assistant", "b"), message("system", "s"), message("user", "c")}),
      "<user>[a]</><assistant>[b]</><user>[s\n\nc]</>");
  EXPECT_EQ(strict({message("user", "a"), message("assistant", "b"), message("system", "s")}),
            "<user>[a]</><assistant>[b]</><user>[s]</>");
  EXPECT_EQ(strict({message("system", "s")}), "<user>[s]</>");
  EXPECT_EQ(strict({message("system", "s"), message("assistant", "a")}),
            "<user></><assistant>[a]</><user>[s]</>");
}

TEST(JinjaChatFormatTest, NothingIsLostByTemplatesThatForgetMessages) {
  const char* last_system_only =
      "{% set ns = namespace(s='') %}{% for m in messages if m.role == 'system' %}{% set ns.s = m.content "
      "%}{% endfor %}"
      "{{ ns.s }}|{% for m in messages if m.role != 'system' %}{{ m.content }}|{% endfor %}";
  EXPECT_EQ(marked(render(last_system_only, conversation({message("system", "s"), message("user", "a"),
                                                          message("system", "t"), message("user", "b")}))),
            "[s]|[a\n\nt\n\nb]|");
  EXPECT_EQ(marked(render(kChatMl, conversation({message("user", "a"), call("f", R"({"x": 1})"),
                                                 message("tool", "r")}))),
            "<|im_start|>user\n[a]<|im_end|>\n<|im_start|>assistant\n[{\"name\": \"f\", \"arguments\": "
            "{\"x\": 1}}]<|im_end|>\n"
            "<|im_start|>user\n[Tool result:\nr]<|im_end|>\n<|im_start|>assistant\n");
}

TEST(JinjaChatFormatTest, AMessageThatTheTemplateRewritesOnPurposeIsNotLost) {
  const char* rewriting =
      "{% for m in messages %}{{ m.role }}:{{ m.content.replace('/no_think', '') }};{% endfor %}";
  EXPECT_EQ(marked(render(rewriting, conversation({message("system", "/no_think"), message("user", "a")}))),
            "system:;user:[a];");
}

TEST(JinjaChatFormatTest, ASystemMessageThatTheTemplateIgnoresGoesToTheUser) {
  const char* deaf = "{% for m in messages if m.role != 'system' %}{{ m.role }}:{{ m.content }};{% endfor %}";
  EXPECT_EQ(marked(render(deaf, conversation({message("system", "obey"), message("user", "a")}))),
            "user:[obey\n\na];");
}

TEST(JinjaChatFormatTest, NullContentIsEmptyWhereATemplateCannotTakeIt) {
  ChatMessage reply = message("assistant", std::nullopt);
  EXPECT_EQ(marked(render(kChatMl, conversation({message("user", "a"), reply}))),
            "<|im_start|>user\n[a]<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n<|im_start|>assistant\n");
}

TEST(JinjaChatFormatTest, ARefusalThatCannotBeAdaptedIsTheClientsError) {
  const Result<Prompt> prompt =
      render("{{ raise_exception('only on Sundays') }}", conversation({message("user", "a")}));
  ASSERT_FALSE(prompt);
  EXPECT_EQ(prompt.error().code, Error::Code::invalid);
  EXPECT_EQ(prompt.error().field, "messages");
  EXPECT_EQ(prompt.error().reason, "raise_exception");
  EXPECT_NE(prompt.error().what.find("only on Sundays"), std::string::npos);
}

TEST(JinjaChatFormatTest, ABrokenTemplateIsRefusedWhenMade) {
  const auto format = make_chat_format("{% if %}", "", "");
  ASSERT_FALSE(format);
  EXPECT_EQ(format.error().reason, "template_syntax");
}

TEST(JinjaChatFormatTest, BytesThatAreNotUtf8AreReplaced) {
  const Result<Prompt> prompt =
      render("{{ messages[0].content | upper }}", conversation({message("user", "a\xff\xe2\x82z")}));
  ASSERT_TRUE(prompt) << prompt.error().what;
  EXPECT_TRUE(prompt->text().starts_with("A\xEF\xBF\xBD"));
  EXPECT_TRUE(prompt->text().ends_with("Z"));
}

}  // namespace
}  // namespace pensieve::model
