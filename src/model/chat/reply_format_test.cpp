// What replies mean, for each family: the message of each case, and that it does not depend on how the text
// is cut. The prose of the rules: docs/replies.md.
#include "model/chat/reply_format.h"

#include <gtest/gtest.h>

#include <functional>

#include "util/json.h"

namespace pensieve::model {
namespace {

using util::Json;

struct Case {
  const char* reply;
  const char* message;  // content, reasoning and calls as JSON; absent: empty
};
struct Family {
  const char* name;
  const char* source;  // a text with the family's signs
  const char* tail;
  std::vector<Case> cases;
};

Tool tool(std::string name, std::string parameters) {
  return {std::move(name), "", std::move(parameters), false};
}

ChatRequest request_with_tools() {
  ChatRequest request;
  request.tools = {
      tool("get", R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}})"),
      tool("put", R"({"type":"object","properties":{"text":{"type":"string"},"on":{"type":"boolean"}}})"),
      tool("python", R"({"type":"object","properties":{"code":{"type":"string"}}})")};
  return request;
}

// {"c": content, "r": reasoning, "t": [[name, arguments], …]}, absent where empty.
Json message_of(const std::vector<ReplyPiece>& pieces) {
  std::string content, reasoning;
  std::vector<std::pair<std::string, std::string>> calls;
  for (const ReplyPiece& piece : pieces) {
    if (piece.kind == ReplyPiece::Kind::content) content += piece.text;
    if (piece.kind == ReplyPiece::Kind::reasoning) reasoning += piece.text;
    if (piece.kind == ReplyPiece::Kind::call) calls.emplace_back(piece.text, "");
    if (piece.kind == ReplyPiece::Kind::arguments) calls.back().second += piece.text;
  }
  Json message = Json::object();
  if (!content.empty()) message["c"] = content;
  if (!reasoning.empty()) message["r"] = reasoning;
  for (const auto& [name, arguments] : calls)
    message["t"].push_back(Json::array({name, util::parse_json(arguments).value()}));
  return message;
}

Json read(const ReplyFormat& format, const ChatRequest& request, std::optional<std::string_view> tail,
          std::string_view reply, const std::vector<std::size_t>& cuts = {}) {
  const std::unique_ptr<ReplyParser> parser = format.parser(request, tail);
  std::vector<ReplyPiece> pieces;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    parser->feed(reply.substr(from, cut - from), pieces);
    from = cut;
  }
  parser->feed(reply.substr(from), pieces);
  parser->finish(pieces);
  return message_of(pieces);
}

const std::vector<Family>& families() {
  static const std::vector<Family> all{
      {"hermes",
       "<tool_call><think></think>",
       "<|im_start|>assistant\n",
       {{"  plain\n", R"({"c":"  plain\n"})"},
        {"Hm.\n\n<tool_call>\n{\"name\": \"get\", \"arguments\": {\"city\": "
         "\"a</tool_call>\"}}\n</tool_call>\nSo.",
         R"({"c":"Hm.\nSo.","t":[["get",{"city":"a</tool_call>"}]]})"},
        {"<tool_call>{\"arguments\":\"{\\\"days\\\":1}\",\"name\":\"get\"}<|im_end|>",
         R"({"t":[["get",{"days":1}]]})"},
        {"x\n<tool_call>\n{\"name\": get}\n</tool_call>",
         R"({"c":"x\n<tool_call>\n{\"name\": get}\n</tool_call>"})"},
        {"<tool_call>\n{\"name\": \"get\", \"arg", R"({"c":"<tool_call>\n{\"name\": \"get\", \"arg"})"},
        {"<tool_call>{\"name\":\"get\"}</tool_call>\n<tool_call>{]",
         R"({"c":"<tool_call>{]","t":[["get",{}]]})"},
        {"<think>\na <tool_call>{\"name\":\"get\"}</tool_call>\n</think>\n\nb\n<think>c</think>",
         R"({"c":"b","r":"a <tool_call>{\"name\":\"get\"}</tool_call>\nc"})"},
        {"`<think>` and <think> in a line\n```\n<think>\n```",
         R"({"c":"`<think>` and <think> in a line\n```\n<think>\n```"})"},
        {"<think>cut", R"({"r":"cut"})"}}},
      {"qwen3_coder",
       "<tool_call><function=<parameter=",
       "",
       {{"<tool_call>\n<function=put>\n<parameter=text>\n\na\n</b>\n\n</parameter>\n<parameter=on>\nTrue\n</"
         "parameter>\n"
         "</function>\n</tool_call>",
         R"({"t":[["put",{"text":"\na\n</b>\n","on":true}]]})"},
        {"<function=get><parameter=days>3</parameter></function>", R"({"t":[["get",{"days":3}]]})"},
        {"<tool_call>\n<function=get\n", R"({"c":"<tool_call>\n<function=get\n"})"}}},
      {"glm",
       "<tool_call><arg_key>",
       "<|assistant|>",
       {{"<tool_call>get\n<arg_key>city</arg_key>\n<arg_value> 7 </arg_value>\n</tool_call><|user|>",
         R"({"t":[["get",{"city":" 7 "}]]})"},
        {"<tool_call>get\n</tool_call>", R"({"t":[["get",{}]]})"},
        {"The <tool_call> tag", R"({"c":"The <tool_call> tag"})"}}},
      {"minimax",
       "<minimax:tool_call>",
       "",
       {{"<minimax:tool_call>\n<invoke name=\"get\">\n<parameter "
         "name=\"days\">3</parameter>\n</invoke>\n<invoke "
         "name=\"get\"></invoke>\n</minimax:tool_call>[e~[",
         R"({"t":[["get",{"days":3}],["get",{}]]})"}}},
      {"mistral",
       "[TOOL_CALLS]",
       "[/INST]",
       {{"a [TOOL_CALLS] [{\"name\":\"get\",\"arguments\":{},\"id\":\"1\"}, "
         "{\"name\":\"put\",\"arguments\":{\"on\":false}}",
         R"({"c":"a","t":[["get",{}],["put",{"on":false}]]})"}}},
      {"mistral_args",
       "[TOOL_CALLS][ARGS][THINK]",
       "[/INST]",
       {{"[THINK]r[/THINK][TOOL_CALLS]get[CALL_ID]x[ARGS]{\"city\":\"[ARGS]\"}[TOOL_CALLS]get[ARGS]{}</s>",
         R"({"r":"r","t":[["get",{"city":"[ARGS]"}],["get",{}]]})"},
        {"[TOOL_CALLS]get", R"({"c":"[TOOL_CALLS]get"})"}}},
      {"granite3",
       "<|tool_call|><|start_of_role|><think>",
       "",
       {{"<think>r</think><response>\na\n</response>", R"({"c":"a","r":"r"})"},
        {"<|tool_call|>[{\"name\":\"get\"}]\n", R"({"t":[["get",{}]]})"}}},
      {"deepseek_v31",
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>",
       "",
       {{"a<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get<｜tool▁sep｜>{}<｜tool▁call▁end｜><"
         "｜tool▁call▁begin｜>put<｜tool▁sep｜>{",
         R"({"c":"a\n<｜tool▁call▁begin｜>put<｜tool▁sep｜>{","t":[["get",{}]]})"}}},
      {"deepseek_r1",
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>```json",
       "",
       {{"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get\n```json\n{\"city\":\"```\"}"
         "\n```<｜tool▁call▁end｜>",
         R"({"t":[["get",{"city":"```"}]]})"}}},
      {"kimi",
       "<|tool_calls_section_begin|>",
       "",
       {{"<|tool_calls_section_begin|><|tool_call_begin|>functions.get:3<|tool_call_argument_begin|> "
         "{}<|tool_call_end|>"
         "<|tool_calls_section_end|>\nb",
         R"({"c":"b","t":[["get",{}]]})"}}},
      {"functionary31",
       "<function=<|python_tag|>",
       "",
       {{"<function=get>{\"days\":1}</function>", R"({"t":[["get",{"days":1}]]})"},
        {"<|python_tag|>x = 1\n<|eom_id|>", R"({"t":[["python",{"code":"x = 1"}]]})"}}},
      {"functionary32",
       ">>> all <|start_header_id|>",
       "\n\n>>>",
       {{"all\na >>> b\n>>>get\n{}", R"({"c":"a >>> b","t":[["get",{}]]})"},
        {"get\n{\"days", R"({"c":"get\n{\"days"})"},
        {"plain", R"({"c":"plain"})"}}},
      {"lfm2",
       "<|tool_list_start|>",
       "",
       {{"<|tool_call_start|>[get(city='a)]', days=-3), put(on=True)]<|tool_call_end|>b",
         R"({"c":"b","t":[["get",{"city":"a)]","days":-3}],["put",{"on":true}]]})"},
        {"<|tool_call_start|>[get(city=)]", R"({"c":"<|tool_call_start|>[get(city=)]"})"}}},
      {"llama3",
       "<|start_header_id|> \"parameters\"",
       "",
       {{"{\"name\":\"get\",\"parameters\":{\"days\":1}}; {\"name\":\"put\",\"parameters\":{}}<|eot_id|>",
         R"({"t":[["get",{"days":1}],["put",{}]]})"},
        {"{\"name\":\"other\",\"parameters\":{}}", R"({"c":"{\"name\":\"other\",\"parameters\":{}}"})"},
        {"<|python_tag|>get.call(city=\"x\")", R"({"t":[["get",{"city":"x"}]]})"}}},
      {"gemma",
       "<start_of_turn>",
       "",
       {{"```tool_code\nget(city='x')\n```", R"({"t":[["get",{"city":"x"}]]})"},
        {"```tool_code\nprint(1)\n```", R"({"c":"```tool_code\nprint(1)\n```"})"}}},
      {"gemma4",
       "<|tool_call><|channel>thought",
       "<|turn>model\n",
       {{"<|channel>thought\nr\n<channel|><|tool_call>call:get{city:<|\"|>a}<|\"|>,days:3}<tool_call|><turn|"
         ">",
         R"({"r":"r","t":[["get",{"city":"a}","days":3}]]})"}}},
      {"command_r",
       "<|START_ACTION|><|START_THINKING|>",
       "",
       {{"<|START_THINKING|>r<|END_THINKING|><|START_RESPONSE|>a<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
         R"({"c":"a","r":"r"})"},
        {"<|START_ACTION|>[\n{\"tool_name\":\"get\",\"parameters\":{}}\n]<|END_ACTION|>",
         R"({"t":[["get",{}]]})"}}},
      {"gpt_oss",
       "<|channel|><|message|><|start|>",
       "<|start|>assistant",
       {{"<|channel|>analysis<|message|>r<|end|><|start|>assistant<|channel|>commentary<|message|>a<|end|><|"
         "start|>assistant"
         "<|channel|>commentary to=functions.get <|constrain|>json<|message|>{\"city\":\"<|end|>\"}<|call|>",
         R"({"c":"a","r":"r","t":[["get",{"city":"<|end|>"}]]})"},
        {" to=functions.get<|channel|>commentary<|message|>{oops}<|call|>",
         R"({"c":" to=functions.get<|channel|>commentary<|message|>{oops}"})"},
        {"no channel", R"({"c":"no channel"})"}}},
      {"generic",
       "",
       "",
       {{"```json\n[{\"name\":\"get\",\"arguments\":{}}]\n```", R"({"t":[["get",{}]]})"},
        {"{\"city\":1}", R"({"c":"{\"city\":1}"})"},
        {"\n  a\n", R"({"c":"\n  a\n"})"}}},
  };
  return all;
}

TEST(ReplyFormat, EachFamilysRepliesMeanTheirMessage) {
  for (const Family& family : families()) {
    const std::unique_ptr<ReplyFormat> format = make_reply_format(family.source, "");
    for (const Case& one : family.cases) {
      EXPECT_EQ(read(*format, request_with_tools(), family.tail, one.reply), Json::parse(one.message))
          << family.name << ": " << one.reply;
    }
  }
}

TEST(ReplyFormat, TheMessageDoesNotDependOnTheCuts) {
  for (const Family& family : families()) {
    const std::unique_ptr<ReplyFormat> format = make_reply_format(family.source, "");
    for (const Case& one : family.cases) {
      const std::string_view reply = one.reply;
      const Json whole = read(*format, request_with_tools(), family.tail, reply);
      std::vector<std::size_t> everywhere;
      for (std::size_t cut = 0; cut <= reply.size(); ++cut) {
        EXPECT_EQ(read(*format, request_with_tools(), family.tail, reply, {cut}), whole)
            << reply << " at " << cut;
        everywhere.push_back(cut);
      }
      EXPECT_EQ(read(*format, request_with_tools(), family.tail, reply, everywhere), whole) << reply;
    }
  }
}

TEST(ReplyFormat, WithoutToolsNothingIsACall) {
  for (const Family& family : families()) {
    const std::unique_ptr<ReplyFormat> format = make_reply_format(family.source, "");
    for (const Case& one : family.cases)
      EXPECT_FALSE(read(*format, ChatRequest{}, family.tail, one.reply).contains("t")) << one.reply;
    ChatRequest none = request_with_tools();
    none.tool_choice.mode = ToolChoice::Mode::none;
    EXPECT_FALSE(read(*format, none, family.tail, family.cases.front().reply).contains("t"));
  }
}

TEST(ReplyFormat, ThePromptsEndDecidesWhetherThinkingIsOpen) {
  const std::unique_ptr<ReplyFormat> format = make_reply_format("<tool_call><think></think>", "");
  const auto message = [&](std::optional<std::string_view> tail, std::string_view reply) {
    return read(*format, request_with_tools(), tail, reply);
  };
  EXPECT_EQ(message("x<think>\n", "r\n</think>\n\na"), Json::parse(R"({"c":"a","r":"r"})"));
  EXPECT_EQ(message("x<think>\n", "<think>\nr</think>a"), Json::parse(R"({"c":"a","r":"r"})"));
  EXPECT_EQ(message("<think>\n\n</think>\n\n", "\n\na"), Json::parse(R"({"c":"a"})"));
  EXPECT_EQ(message(std::nullopt, "r\n</think>\na"), Json::parse(R"({"c":"a","r":"r"})"));
  EXPECT_EQ(message(std::nullopt, "a, and no tag"), Json::parse(R"({"c":"a, and no tag"})"));
}

TEST(ReplyFormat, ChannelsThinkToo) {
  const std::unique_ptr<ReplyFormat> format = make_reply_format("<|channel|><|message|><|start|>", "");
  const auto thinking = format->thinking("<|start|>assistant");
  ASSERT_TRUE(thinking);
  EXPECT_FALSE(thinking->is_open);
  const auto parser = format->enforced_parser("<|start|>assistant");
  std::vector<ReplyPiece> pieces;
  const EnforcedForm form = format->enforced_form();
  parser->feed(thinking->open + "r" + thinking->close + form.before_name + "get" + form.after_name + "{}",
               pieces);
  parser->finish(pieces);
  EXPECT_EQ(message_of(pieces), Json::parse(R"({"r":"r","t":[["get",{}]]})"));
}

TEST(ReplyFormat, OnlyAllowedToolsAreCalled) {
  const std::unique_ptr<ReplyFormat> format = make_reply_format("", "");
  ChatRequest request = request_with_tools();
  request.tool_choice.names = {"put"};
  const char* call = R"({"name":"get","arguments":{}})";
  EXPECT_EQ(read(*format, request, "", call), Json({{"c", call}}));
}

// What is enforced in a free reply must be what the family's reader takes for a call.
TEST(ReplyFormat, ParameterFormsAreReadAsCalls) {
  for (const char* source :
       {"<tool_call><function=<parameter=", "<tool_call><arg_key>", "<minimax:tool_call>"}) {
    const std::unique_ptr<ReplyFormat> format = make_reply_format(source, "");
    const EnforcedForm enforced = format->enforced_form();
    ASSERT_TRUE(enforced.parameters) << source;
    const ParameterForm& form = *enforced.parameters;
    const auto parameter = [&form](const std::string& key, const std::string& value) {
      return form.key_open + key + form.key_end + form.value_open + value + form.value_end;
    };
    const std::string call = form.before_name + "get" + form.after_name + parameter("city", "Ulm") +
                             parameter("days", "3") + form.after_arguments;
    const bool several = !form.between.empty() || !form.close.empty();
    const std::string reply = form.open + call + (several ? form.between + call : "") + form.close;
    const Json message = read(*format, request_with_tools(), "", reply);
    ASSERT_TRUE(message.contains("t")) << reply;
    EXPECT_EQ(message["t"].size(), several ? 2U : 1U) << reply;
    EXPECT_EQ(message["t"].back(), Json::parse(R"(["get",{"city":"Ulm","days":3}])"));
  }
}

TEST(ReplyFormat, TextGoesOutAsItComesAndOnlyAsLittleAsNeededIsHeld) {
  const std::unique_ptr<ReplyFormat> format = make_reply_format("<tool_call>", "");
  const std::unique_ptr<ReplyParser> parser = format->parser(request_with_tools(), "");
  std::vector<ReplyPiece> pieces;
  parser->feed("Hello wor", pieces);
  EXPECT_EQ(message_of(pieces), Json::parse(R"({"c":"Hello wor"})"));
  parser->feed("ld <tool", pieces);
  EXPECT_EQ(message_of(pieces), Json::parse(R"({"c":"Hello world"})"));
  parser->feed("box>", pieces);
  EXPECT_EQ(message_of(pieces), Json::parse(R"({"c":"Hello world <toolbox>"})"));
}

TEST(ReplyFormat, AMessageThatBeginsAndIsCutOffEndsAllTheSame) {
  const std::unique_ptr<ReplyFormat> format = make_reply_format("<|channel|><|message|><|start|>", "");
  EXPECT_EQ(read(*format, request_with_tools(), "", "a<|start|><<")["c"], "a\n<|start|><<");
}

TEST(ReplyFormat, ThousandsOfBrokenCallsEndInReasonableTime) {
  const std::unique_ptr<ReplyFormat> format = make_reply_format("<tool_call><function=<parameter=", "");
  std::string reply;
  for (int i = 0; i < 20'000; ++i) reply += "<tool_call><function=f><parameter=x>";
  reply += "</parameter>!";
  EXPECT_EQ(read(*format, request_with_tools(), "", reply)["c"], reply);
}

}  // namespace
}  // namespace pensieve::model
