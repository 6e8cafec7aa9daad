// Steps are read as a flat list, sequences unfolded; each family then accepts those that it does.
#include "model/tokenizer/tokenizer_json_text.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/tokenizer/pre_tokenizer_rules.h"
#include "model/tokenizer/space_letter.h"
#include "model/tokenizer/vocabulary.h"

namespace pensieve::model {
namespace {

using util::Json;

constexpr std::size_t kLongestExpression = 8192;

bool flag(const Json& step, const char* name, bool otherwise) {
  const Json* value = member(step, name);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : otherwise;
}

bool has(const std::vector<JsonStep>& steps, std::string_view type) {
  for (const JsonStep& step : steps) {
    if (step.type == type) return true;
  }
  return false;
}

std::string literal(std::string_view plain) {
  std::string expression;
  for (const char letter : plain) {
    if (std::string_view("\\.+*?()|[]{}^$").find(letter) != std::string_view::npos) expression += '\\';
    expression += letter;
  }
  return expression;
}

// Split: each match, and what lies between matches, is a piece. Nothing else is done by our pre-tokenizer.
Result<std::string> split_expression(const Json& step) {
  const std::string behavior = json_text(step, "behavior");
  const bool inverted = flag(step, "invert", false);
  const bool pieces = behavior == "Isolated" || (behavior == "Removed" && inverted);
  const Json* pattern = member(step, "pattern");
  if (!pieces || pattern == nullptr) return unsupported_step("pre_tokenizer", step);
  std::string expression =
      member(*pattern, "String") ? literal(json_text(*pattern, "String")) : json_text(*pattern, "Regex");
  if (expression.empty() || expression.size() > kLongestExpression)
    return unsupported_step("pre_tokenizer", step);
  return expression;
}

Result<> byte_level_steps(const std::vector<JsonStep>& normalizers, const std::vector<JsonStep>& cutters,
                          Metadata& metadata) {
  metadata.set("tokenizer.ggml.model", std::string("gpt2"));
  std::string form;
  for (const JsonStep& step : normalizers) {
    const bool known = step.type == "NFC" || step.type == "NFD" || step.type == "NFKC" || step.type == "NFKD";
    if (!known || !form.empty()) return unsupported_step("normalizer for byte-level BPE", *step.json);
    for (const char letter : step.type) form += static_cast<char>(letter | 0x20);
  }
  if (!form.empty()) metadata.set("tokenizer.pensieve.normalizer", form);
  std::vector<std::string> expressions;
  for (const JsonStep& step : cutters) {
    if (step.type == "Split") {
      auto expression = split_expression(*step.json);
      if (!expression) return tl::unexpected(expression.error());
      expressions.push_back(std::move(*expression));
    } else if (step.type == "Digits") {
      expressions.emplace_back(flag(*step.json, "individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)");
    } else if (step.type == "Punctuation" && (json_text(*step.json, "behavior").empty() ||
                                              json_text(*step.json, "behavior") == "Isolated")) {
      expressions.emplace_back(R"([\p{P}!-/:-@\[-`{-~])");
    } else if (step.type == "ByteLevel") {
      if (flag(*step.json, "use_regex", true))
        expressions.emplace_back(find_rules("gpt-2")->expressions.front());
      if (flag(*step.json, "add_prefix_space", true)) metadata.set("tokenizer.pensieve.prefix_space", true);
    } else {
      return unsupported_step("pre_tokenizer for byte-level BPE", *step.json);
    }
  }
  metadata.set("tokenizer.pensieve.expressions", std::move(expressions));
  return {};
}

// Base64 as RFC 4648 has it, padded or not; anything else is nothing.
std::optional<std::string> decode_base64(std::string_view coded) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (coded.ends_with('=')) coded.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char letter : coded) {
    const std::size_t value = kAlphabet.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<char>(bits >> held & 0xFF));
  }
  return out;
}

// The unigram model normalises by a map of its own; what files do to runs and ends of white space is what our
// tokenizer does anyway.
Result<> unigram_normalizers(const std::vector<JsonStep>& normalizers, std::vector<JsonStep>& others,
                             Metadata& metadata) {
  metadata.set("tokenizer.ggml.remove_extra_whitespaces", false);
  for (const JsonStep& step : normalizers) {
    const Json* pattern = member(*step.json, "pattern");
    const std::string expression = pattern ? json_text(*pattern, "Regex") : std::string();
    if (step.type == "Precompiled") {
      const auto map = decode_base64(json_text(*step.json, "precompiled_charsmap"));
      if (!map) return unsupported_step("normalizer (its map is no base64)", *step.json);
      metadata.set("tokenizer.ggml.precompiled_charsmap", *map);
    } else if (step.type == "Strip" ||
               (step.type == "Replace" && (expression == " {2,}" || expression == "\\s{2,}"))) {
      metadata.set("tokenizer.ggml.remove_extra_whitespaces", true);
    } else {
      others.push_back(step);
    }
  }
  return {};
}

// What SentencePiece does to text: spaces become a letter, one is put before.
Result<> sentence_steps(std::string_view family, const std::vector<JsonStep>& normalizers,
                        const std::vector<JsonStep>& cutters, Metadata& metadata) {
  metadata.set("tokenizer.ggml.model", std::string(family));
  bool prefix = false;
  for (const JsonStep& step : normalizers) {
    const Json* pattern = member(*step.json, "pattern");
    const bool spaces = step.type == "Replace" && pattern != nullptr &&
                        json_text(*pattern, "String") == " " &&
                        json_text(*step.json, "content") == kSpaceLetterText;
    if (step.type == "Prepend" && json_text(*step.json, "prepend") == kSpaceLetterText) {
      prefix = true;
    } else if (!spaces) {
      return unsupported_step("normalizer for a SentencePiece vocabulary", *step.json);
    }
  }
  for (const JsonStep& step : cutters) {
    if (step.type == "Metaspace" && json_text(*step.json, "replacement") == kSpaceLetterText) {
      const std::string scheme = json_text(*step.json, "prepend_scheme");
      prefix = scheme.empty() ? flag(*step.json, "add_prefix_space", true) : scheme != "never";
      if (scheme == "first") metadata.set("tokenizer.pensieve.prefix_first_only", true);
      if (flag(*step.json, "split", true)) metadata.set("tokenizer.pensieve.split_spaces", true);
      continue;
    }
    // Gemma's files cut at spaces after all spaces have become letters: nothing is left to cut.
    const Json* pattern = member(*step.json, "pattern");
    const bool idle = step.type == "Split" && pattern != nullptr && json_text(*pattern, "String") == " " &&
                      has(normalizers, "Replace");
    if (!idle) return unsupported_step("pre_tokenizer for a SentencePiece vocabulary", *step.json);
  }
  metadata.set("tokenizer.ggml.add_space_prefix", prefix);
  return {};
}

Result<> word_steps(const std::vector<JsonStep>& normalizers, const std::vector<JsonStep>& cutters,
                    Metadata& metadata) {
  metadata.set("tokenizer.ggml.model", std::string("bert"));
  metadata.set("tokenizer.ggml.normalizer.lowercase", false);
  metadata.set("tokenizer.ggml.normalizer.accents", std::string("keep"));
  metadata.set("tokenizer.ggml.normalizer.ideographs", false);
  metadata.set("tokenizer.ggml.normalizer.clean", false);
  for (const JsonStep& step : normalizers) {
    if (step.type != "BertNormalizer") return unsupported_step("normalizer for WordPiece", *step.json);
    const bool lowercase = flag(*step.json, "lowercase", true);
    metadata.set("tokenizer.ggml.normalizer.lowercase", lowercase);
    metadata.set("tokenizer.ggml.normalizer.accents",
                 std::string(flag(*step.json, "strip_accents", lowercase) ? "strip" : "keep"));
    metadata.set("tokenizer.ggml.normalizer.ideographs", flag(*step.json, "handle_chinese_chars", true));
    metadata.set("tokenizer.ggml.normalizer.clean", flag(*step.json, "clean_text", true));
  }
  for (const JsonStep& step : cutters) {
    if (step.type != "BertPreTokenizer") return unsupported_step("pre_tokenizer for WordPiece", *step.json);
  }
  return {};
}

}  // namespace

Result<> read_text_steps(const Json& root, Metadata& metadata) {
  const std::vector<JsonStep> normalizers = json_steps(root, "normalizer", "normalizers");
  const std::vector<JsonStep> cutters = json_steps(root, "pre_tokenizer", "pretokenizers");
  const std::vector<JsonStep> decoders = json_steps(root, "decoder", "decoders");
  const Json* model = member(root, "model");
  const std::string kind = model ? json_text(*model, "type") : std::string();
  if (kind == "WordPiece") return word_steps(normalizers, cutters, metadata);
  if (kind == "Unigram") {
    std::vector<JsonStep> others, kept;
    if (auto read = unigram_normalizers(normalizers, others, metadata); !read) return read;
    for (const JsonStep& step : cutters) {
      if (step.type == "WhitespaceSplit") {
        metadata.set("tokenizer.ggml.remove_extra_whitespaces", true);
      } else {
        kept.push_back(step);
      }
    }
    return sentence_steps("t5", others, kept, metadata);
  }
  if (has(cutters, "ByteLevel") || has(decoders, "ByteLevel"))
    return byte_level_steps(normalizers, cutters, metadata);
  return sentence_steps("llama", normalizers, cutters, metadata);
}

}  // namespace pensieve::model
