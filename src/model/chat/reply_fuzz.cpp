// Fuzz target: any bytes as a reply of any family. Whole and cut in two, the message must be the same;
// nothing may be taken back or crash. The first bytes choose family, cut and the prompt's end.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/chat/reply_format.h"

namespace {

using pensieve::ReplyPiece;

std::string joined(const std::vector<ReplyPiece>& pieces) {
  std::array<std::string, 2> texts;
  std::string calls;
  for (const ReplyPiece& piece : pieces) {
    if (piece.kind == ReplyPiece::Kind::content) texts[0] += piece.text;
    if (piece.kind == ReplyPiece::Kind::reasoning) texts[1] += piece.text;
    if (piece.kind == ReplyPiece::Kind::call) calls += '\1' + piece.text + '\2';
    if (piece.kind == ReplyPiece::Kind::arguments) calls += piece.text;
  }
  return texts[0] + '\3' + texts[1] + '\3' + calls;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array<std::string_view, 20> kSources{"<tool_call><think></think>",
                                                      "<tool_call><function=<parameter=",
                                                      "<tool_call><arg_key><think></think>",
                                                      "<minimax:tool_call><think></think>",
                                                      "[TOOL_CALLS]",
                                                      "[TOOL_CALLS][ARGS][THINK]",
                                                      "<|tool_call|><|start_of_role|><think>",
                                                      "<|tool_call|><|/tool_call|><|end|>",
                                                      "<TOOLCALL>",
                                                      "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>",
                                                      "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>```json",
                                                      "<|tool_calls_section_begin|>",
                                                      "<function=<|python_tag|>",
                                                      ">>> all <|start_header_id|>",
                                                      "<|tool_list_start|>",
                                                      "<|start_header_id|> \"parameters\"",
                                                      "<start_of_turn>",
                                                      "<|tool_call><|channel>thought",
                                                      "<|channel|><|message|><|start|>",
                                                      ""};
  if (size < 3) return 0;
  const auto format = pensieve::model::make_reply_format(kSources[data[0] % kSources.size()], "</s>");
  pensieve::ChatRequest request;
  request.tools = {{"get", "", R"({"properties":{"city":{"type":"string"}}})", false},
                   {"python", "", "", false}};
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  const std::size_t cut = text.empty() ? 0 : data[1] % text.size();
  const std::array<std::optional<std::string_view>, 4> tails{std::nullopt, "", "<think>\n", ">>>"};
  const std::optional<std::string_view> tail = tails[data[2] % tails.size()];
  std::vector<ReplyPiece> whole, halves;
  const auto first = format->parser(request, tail);
  first->feed(text, whole);
  first->finish(whole);
  const auto second = format->parser(request, tail);
  second->feed(text.substr(0, cut), halves);
  second->feed(text.substr(cut), halves);
  second->finish(halves);
  if (joined(whole) != joined(halves)) __builtin_trap();
  return 0;
}
