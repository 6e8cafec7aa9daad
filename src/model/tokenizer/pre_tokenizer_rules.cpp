// Sources: what llama.cpp applies for each name of `tokenizer.ggml.pre`, since the names mean nothing
// elsewhere; its expressions follow the families' published tokenizer.json (or tiktoken expression), not
// always to the letter. Not code: adding a rule is adding a row.
#include "model/tokenizer/pre_tokenizer_rules.h"

#include <vector>

#include "model/tokenizer/pre_tokenizer.h"

namespace pensieve::model {
namespace {

constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kNumber = R"(\p{N})";
constexpr std::string_view kNumbers = R"(\p{N}+)";
constexpr std::string_view kUpToThreeNumbers = R"(\p{N}{1,3})";
constexpr std::string_view kThreeDigits = "[0-9][0-9][0-9]";
constexpr std::string_view kLineEnd = R"([\r\n])";
constexpr std::string_view kFalconPunctuation = R"([\p{P}\$\+<=>\^~\|`]+)";
constexpr std::string_view kDefaultPunctuation = R"([\p{P}\$\+<=>\^~\|]+)";
constexpr std::string_view kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|)"
                                     R"( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kMiniCpm =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kSeedCoder =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|)"
    R"(\s+(?!\S)|\s+)";
constexpr std::string_view kExaoneMoe =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kJais2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|)"
    R"(\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})";

constexpr std::string_view kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kYoutuScripts =
    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+";
constexpr std::string_view kYoutu =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kKimiK2 =
    R"([\p{Han}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Cased letters of the Unicode version that the published file was made with; ends that normalisation would
// change are written as escapes.
constexpr std::string_view kDeepSeekLetters =
    "\\s?["
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-"
    "ᶚḀ-"
    "ἕἘ-"
    "Ἕἠ-"
    "ὅ"
    "Ὀ-Ὅὐ-ὗὙὛὝὟ-\U00001F7Dᾀ-ᾴᾶ-ᾼ\U00001FBEῂ-ῄῆ-ῌῐ-\U00001FD3ῖ-\U00001FDBῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ"
    "\U00002126ℨ\U0000212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-"
    "ｚ𐐀-"
    "𐑏𐒰-"
    "𐓓𐓘-"
    "𐓻"
    "𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"
    "]+";
constexpr std::string_view kDeepSeekPunctuation = R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)";
// U+0800 to U+4E00 and back is what the published file says: the range takes in Hiragana and most of Asia's
// scripts.
constexpr std::string_view kDeepSeekIdeographs = "[一-龥ࠀ-一가-퟿]+";
constexpr std::string_view kDeepSeek3Ideographs = "[一-龥぀-ゟ゠-ヿ]+";
constexpr std::string_view kDeepSeek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
    R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kAfmoeScripts =
    "[一-鿿㐀-䶿\U0000F900-\U0000FAFF぀-ゟ゠-ヿ･-ﾟ⼀-\U00002FDFเ-\U00000E7F\U00000E80-"
    "\U00000EFFក-"
    "\U000017FFက-႟ꩠ-ꩿꧠ-\U0000A9FF가-\U0000D7AFᄀ-ᇿ]+";

// Flags in the order ignore_merges, add_begin, clean_spaces.
struct Row {
  std::string_view names;  // separated by one space
  PreTokenizerRules rules;
};

constexpr Row kRows[] = {
    {"default", {{kDefaultPunctuation, kGpt2, kNumbers, kThreeDigits}, false, false, true}},
    {"gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code roberta-bpe gigachat a.x-4.0 "
     "mellum "
     "modern-bert exaone4 mpt olmo jais",
     {{kGpt2}, false, false, true}},
    {"trillion granite-docling", {{kGpt2}, false, false, false}},
    {"smollm command-r", {{kNumber, kGpt2}, false, false, false}},
    {"starcoder refact codeshell exaone minerva-7b mellum2", {{kNumber, kGpt2}, false, false, true}},
    {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
     {{kLlama3}, true, true, true}},
    {"dbrx smaug-bpe glm4 chatglm-bpe", {{kLlama3}, false, false, true}},
    {"qwen2 deepseek-r1-qwen kormo f2llmv2 hunyuan solar-open grok-2", {{kQwen2}, false, false, false}},
    {"stablelm2 megrez", {{kQwen2}, false, false, true}},
    {"qwen35", {{kQwen35}, false, false, false}},
    {"minicpm5", {{kUpToThreeNumbers, kMiniCpm}, true, false, true}},
    {"bailingmoe bailingmoe2 llada-moe", {{kBailing}, false, false, false}},
    {"seed-coder", {{kSeedCoder}, false, false, false}},
    {"exaone-moe", {{kExaoneMoe}, false, false, true}},
    {"jais-2", {{kJais2}, false, false, true}},
    {"laguna", {{R"([^\n]+|[\n]+)", kQwen2}, false, false, false}},
    {"gpt-4o llama4 kanana2 talkie minimax-m2", {{kGpt4o}, false, false, false}},
    {"granite-embed-multi-97m", {{kGpt4o}, true, false, false}},
    {"tekken", {{kTekken}, true, true, false}},
    {"youtu", {{kYoutuScripts, kYoutu}, true, false, false}},
    {"tiny_aya cohere2moe", {{PreTokenizer::kDigitsByThousands, kGpt4o}, false, false, false}},
    {"kimi-k2", {{kKimiK2}, false, false, false}},
    {"superbpe", {{kNumbers, PreTokenizer::kDigitsByThousands}, false, false, false}},
    {"deepseek-llm",
     {{kLineEnd, kDeepSeekLetters, kDeepSeekPunctuation, R"(\s+$)", kDeepSeekIdeographs, kNumbers},
      false,
      false,
      false}},
    {"deepseek-coder",
     {{kLineEnd, R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepSeekIdeographs, kNumber}, false, false, false}},
    {"deepseek-v3 hunyuan-dense joyai-llm",
     {{kUpToThreeNumbers, kDeepSeek3Ideographs, kDeepSeek3}, false, false, false}},
    {"afmoe", {{PreTokenizer::kDigitsByThousands, kAfmoeScripts, kDeepSeek3}, false, false, false}},
    {"falcon", {{kFalconPunctuation, kGpt2, kThreeDigits}, false, false, true}},
    {"poro-chat", {{kBloom}, false, false, false}},
    {"bloom gpt3-finnish", {{kBloom}, false, false, true}},
    {"viking", {{kBloom, kNumber}, false, false, false}},
    {"chameleon",
     {{"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", R"([\t\n]|    |  )", kNumber,
       R"([\p{P}!-/:-@\[-`{-~])", kGpt2},
      false,
      true,
      false}},
};

template <class Visit>
void each_name(const Row& row, Visit&& visit) {
  for (std::string_view rest = row.names; !rest.empty();) {
    const std::size_t space = rest.find(' ');
    visit(rest.substr(0, space));
    rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
  }
}

}  // namespace

const PreTokenizerRules* find_rules(std::string_view name) {
  const std::string_view wanted = name.empty() ? "default" : name;
  const PreTokenizerRules* found = nullptr;
  for (const Row& row : kRows) {
    each_name(row, [&](std::string_view known) {
      if (known == wanted) found = &row.rules;
    });
  }
  return found;
}

std::vector<std::string_view> rule_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kRows) {
    each_name(row, [&names](std::string_view name) { names.push_back(name); });
  }
  return names;
}

std::string known_rules() {
  std::string list;
  for (const std::string_view name : rule_names()) {
    if (!list.empty()) list += ", ";
    list += name;
  }
  return list;
}

}  // namespace pensieve::model
