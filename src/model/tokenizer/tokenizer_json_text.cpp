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

tl::unexpected<Error> unsupported(std::string_view member, const Json& step) {
  return fail(Error::Code::unsupported, fmt::format("tokenizer.json: this build has no {} {}", member,
                                                    model::quoted(util::to_json(step))));
}

struct Step {
  std::string type;
  const Json* json;
};

bool flag(const Json& step, const char* name, bool otherwise) {
  const Json* value = member(step, name);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : otherwise;
}

std::string text(const Json& step, const char* name) {
  const Json* value = member(step, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

// The steps of root[name], with sequences unfolded (their parts stand under `parts`).
std::vector<Step> steps_of(const Json& root, const char* name, const char* parts) {
  std::vector<Step> steps;
  std::vector<const Json*> open;
  if (const Json* first = member(root, name)) open.push_back(first);
  while (!open.empty()) {
    const Json* step = open.back();
    open.pop_back();
    const std::string type = text(*step, "type");
    const Json* inner = member(*step, parts);
    if (type == "Sequence" && inner != nullptr && inner->is_array()) {
      for (std::size_t i = inner->size(); i-- > 0;) open.push_back(&(*inner)[i]);
    } else {
      steps.push_back({type, step});
    }
  }
  return steps;
}

bool has(const std::vector<Step>& steps, std::string_view type) {
  for (const Step& step : steps) {
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
  const std::string behavior = text(step, "behavior");
  const bool inverted = flag(step, "invert", false);
  const bool pieces = behavior == "Isolated" || (behavior == "Removed" && inverted);
  const Json* pattern = member(step, "pattern");
  if (!pieces || pattern == nullptr) return unsupported("pre_tokenizer", step);
  std::string expression =
      member(*pattern, "String") ? literal(text(*pattern, "String")) : text(*pattern, "Regex");
  if (expression.empty() || expression.size() > kLongestExpression) return unsupported("pre_tokenizer", step);
  return expression;
}

Result<> byte_level_steps(const std::vector<Step>& normalizers, const std::vector<Step>& cutters,
                          Metadata& metadata) {
  metadata.set("tokenizer.ggml.model", std::string("gpt2"));
  std::string form;
  for (const Step& step : normalizers) {
    const bool known = step.type == "NFC" || step.type == "NFD" || step.type == "NFKC" || step.type == "NFKD";
    if (!known || !form.empty()) return unsupported("normalizer for byte-level BPE", *step.json);
    for (const char letter : step.type) form += static_cast<char>(letter | 0x20);
  }
  if (!form.empty()) metadata.set("tokenizer.pensieve.normalizer", form);
  std::vector<std::string> expressions;
  for (const Step& step : cutters) {
    if (step.type == "Split") {
      auto expression = split_expression(*step.json);
      if (!expression) return tl::unexpected(expression.error());
      expressions.push_back(std::move(*expression));
    } else if (step.type == "Digits") {
      expressions.emplace_back(flag(*step.json, "individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)");
    } else if (step.type == "Punctuation" &&
               (text(*step.json, "behavior").empty() || text(*step.json, "behavior") == "Isolated")) {
      expressions.emplace_back(R"([\p{P}!-/:-@\[-`{-~])");
    } else if (step.type == "ByteLevel") {
      if (flag(*step.json, "use_regex", true))
        expressions.emplace_back(find_rules("gpt-2")->expressions.front());
      if (flag(*step.json, "add_prefix_space", true)) metadata.set("tokenizer.pensieve.prefix_space", true);
    } else {
      return unsupported("pre_tokenizer for byte-level BPE", *step.json);
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
Result<> unigram_normalizers(const std::vector<Step>& normalizers, std::vector<Step>& others,
                             Metadata& metadata) {
  metadata.set("tokenizer.ggml.remove_extra_whitespaces", false);
  for (const Step& step : normalizers) {
    const Json* pattern = member(*step.json, "pattern");
    const std::string expression = pattern ? text(*pattern, "Regex") : std::string();
    if (step.type == "Precompiled") {
      const auto map = decode_base64(text(*step.json, "precompiled_charsmap"));
      if (!map) return unsupported("normalizer (its map is no base64)", *step.json);
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
Result<> sentence_steps(std::string_view family, const std::vector<Step>& normalizers,
                        const std::vector<Step>& cutters, Metadata& metadata) {
  metadata.set("tokenizer.ggml.model", std::string(family));
  bool prefix = false;
  for (const Step& step : normalizers) {
    const Json* pattern = member(*step.json, "pattern");
    const bool spaces = step.type == "Replace" && pattern != nullptr && text(*pattern, "String") == " " &&
                        text(*step.json, "content") == kSpaceLetterText;
    if (step.type == "Prepend" && text(*step.json, "prepend") == kSpaceLetterText) {
      prefix = true;
    } else if (!spaces) {
      return unsupported("normalizer for a SentencePiece vocabulary", *step.json);
    }
  }
  for (const Step& step : cutters) {
    if (step.type == "Metaspace" && text(*step.json, "replacement") == kSpaceLetterText) {
      const std::string scheme = text(*step.json, "prepend_scheme");
      prefix = scheme.empty() ? flag(*step.json, "add_prefix_space", true) : scheme != "never";
      if (scheme == "first") metadata.set("tokenizer.pensieve.prefix_first_only", true);
      if (flag(*step.json, "split", true)) metadata.set("tokenizer.pensieve.split_spaces", true);
      continue;
    }
    // Gemma's files cut at spaces after all spaces have become letters: nothing is left to cut.
    const Json* pattern = member(*step.json, "pattern");
    const bool idle = step.type == "Split" && pattern != nullptr && text(*pattern, "String") == " " &&
                      has(normalizers, "Replace");
    if (!idle) return unsupported("pre_tokenizer for a SentencePiece vocabulary", *step.json);
  }
  metadata.set("tokenizer.ggml.add_space_prefix", prefix);
  return {};
}

Result<> word_steps(const std::vector<Step>& normalizers, const std::vector<Step>& cutters,
                    Metadata& metadata) {
  metadata.set("tokenizer.ggml.model", std::string("bert"));
  metadata.set("tokenizer.ggml.normalizer.lowercase", false);
  metadata.set("tokenizer.ggml.normalizer.accents", std::string("keep"));
  metadata.set("tokenizer.ggml.normalizer.ideographs", false);
  metadata.set("tokenizer.ggml.normalizer.clean", false);
  for (const Step& step : normalizers) {
    if (step.type != "BertNormalizer") return unsupported("normalizer for WordPiece", *step.json);
    const bool lowercase = flag(*step.json, "lowercase", true);
    metadata.set("tokenizer.ggml.normalizer.lowercase", lowercase);
    metadata.set("tokenizer.ggml.normalizer.accents",
                 std::string(flag(*step.json, "strip_accents", lowercase) ? "strip" : "keep"));
    metadata.set("tokenizer.ggml.normalizer.ideographs", flag(*step.json, "handle_chinese_chars", true));
    metadata.set("tokenizer.ggml.normalizer.clean", flag(*step.json, "clean_text", true));
  }
  for (const Step& step : cutters) {
    if (step.type != "BertPreTokenizer") return unsupported("pre_tokenizer for WordPiece", *step.json);
  }
  return {};
}

}  // namespace

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<> read_text_steps(const Json& root, Metadata& metadata) {
  const std::vector<Step> normalizers = steps_of(root, "normalizer", "normalizers");
  const std::vector<Step> cutters = steps_of(root, "pre_tokenizer", "pretokenizers");
  const std::vector<Step> decoders = steps_of(root, "decoder", "decoders");
  const Json* model = member(root, "model");
  const std::string kind = model ? text(*model, "type") : std::string();
  if (kind == "WordPiece") return word_steps(normalizers, cutters, metadata);
  if (kind == "Unigram") {
    std::vector<Step> others, kept;
    if (auto read = unigram_normalizers(normalizers, others, metadata); !read) return read;
    for (const Step& step : cutters) {
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

Result<> read_template_tokens(const Json& root, std::size_t vocabulary, Metadata& metadata) {
  std::vector<std::int64_t> opening, closing;
  const auto add = [&](const Json& id, std::vector<std::int64_t>& to) -> Result<> {
    if (!id.is_number_integer() || id < 0 || id >= vocabulary) {
      return fail(
          Error::Code::invalid,
          fmt::format("tokenizer.json: post_processor has the id {}, outside the vocabulary of {} tokens",
                      util::to_json(id), vocabulary));
    }
    to.push_back(id.get<std::int64_t>());
    return {};
  };
  const auto add_pair = [&](const Json& step, const char* name, std::vector<std::int64_t>& to) -> Result<> {
    const Json* pair = member(step, name);
    if (pair == nullptr || !pair->is_array() || pair->size() != 2) return unsupported("post_processor", step);
    return add((*pair)[1], to);
  };
  for (const Step& step : steps_of(root, "post_processor", "processors")) {
    if (step.type == "ByteLevel") continue;
    const Json& json = *step.json;
    if (step.type == "BertProcessing" || step.type == "RobertaProcessing") {
      Result<> added = add_pair(json, "cls", opening);
      if (added) added = add_pair(json, "sep", closing);
      if (!added) return added;
      continue;
    }
    const Json* single = member(json, "single");
    if (step.type != "TemplateProcessing" || single == nullptr || !single->is_array())
      return unsupported("post_processor", json);
    std::vector<std::int64_t>* to = &opening;
    for (const Json& part : *single) {
      if (member(part, "Sequence") != nullptr) {
        to = &closing;
        continue;
      }
      const Json* token = member(part, "SpecialToken");
      const Json* known = member(json, "special_tokens");
      const Json* named = token && known ? member(*known, text(*token, "id").c_str()) : nullptr;
      const Json* ids = named ? member(*named, "ids") : nullptr;
      if (ids == nullptr || !ids->is_array()) return unsupported("post_processor", part);
      for (const Json& id : *ids) {
        if (auto added = add(id, *to); !added) return added;
      }
    }
  }
  metadata.set("tokenizer.pensieve.opening_ids", std::move(opening));
  metadata.set("tokenizer.pensieve.closing_ids", std::move(closing));
  return {};
}

}  // namespace pensieve::model
