// What the field knows by a token's name, because files do not say it: many mark their end-of-turn token as
// ordinary text, and none says which tokens end a generation. Not per-model code: names only.
#include <algorithm>
#include <array>
#include <span>

#include "model/tokenizer/vocabulary.h"

namespace pensieve::model {
namespace {

using Names = std::span<const std::string_view>;

constexpr std::array<std::string_view, 22> kEnds{"<|eot_id|>",
                                                 "<|im_end|>",
                                                 "<|end|>",
                                                 "<|return|>",
                                                 "<|call|>",
                                                 "<|flush|>",
                                                 "<|calls|>",
                                                 "<end_of_turn>",
                                                 "<|endoftext|>",
                                                 "</s>",
                                                 "<|eom_id|>",
                                                 "<EOT>",
                                                 "_<EOT>",
                                                 "[EOT]",
                                                 "[EOS]",
                                                 "<eos>",
                                                 "<turn|>",
                                                 "<|end_of_text|>",
                                                 "[e~[",
                                                 "<|tool_response>",
                                                 "<end_of_utterance>",
                                                 "<｜end▁of▁sentence｜>"};
constexpr std::array<std::string_view, 8> kFillPrefix{"<|fim_prefix|>",  "<fim-prefix>", "<fim_prefix>",
                                                      "<｜fim▁begin｜>", "<PRE>",        "▁<PRE>",
                                                      "<|code_prefix|>", "<|prefix|>"};
constexpr std::array<std::string_view, 8> kFillSuffix{"<|fim_suffix|>",  "<fim-suffix>", "<fim_suffix>",
                                                      "<｜fim▁hole｜>",  "<SUF>",        "▁<SUF>",
                                                      "<|code_suffix|>", "<|suffix|>"};
constexpr std::array<std::string_view, 8> kFillMiddle{"<|fim_middle|>",  "<fim-middle>", "<fim_middle>",
                                                      "<｜fim▁end｜>",   "<MID>",        "▁<MID>",
                                                      "<|code_middle|>", "<|middle|>"};
constexpr std::array<std::string_view, 5> kFillPadding{"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>",
                                                       "[PAD]"};
constexpr std::array<std::string_view, 5> kFillRepository{"<|fim_repo|>", "<|repo_name|>", "<fim-repo>",
                                                          "<REPO>", "<reponame>"};
constexpr std::array<std::string_view, 1> kFillSeparator{"<|file_sep|>"};
// The channel markers of the Harmony format carry structure that the reply parser needs: they are shown.
constexpr std::array<std::string_view, 4> kShown{"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};

void mark_control(Vocabulary& vocabulary, Names names, std::int32_t& id) {
  if (id >= 0) return;
  for (const std::string_view name : names) {
    id = vocabulary.find(name);
    if (id < 0) continue;
    vocabulary.tokens[static_cast<std::size_t>(id)].control = true;
    return;
  }
}

void mark_end(Vocabulary& vocabulary, std::int32_t id) {
  if (id >= 0) vocabulary.tokens[static_cast<std::size_t>(id)].ends = true;
}

bool ends_by_name(const Vocabulary& vocabulary, std::string_view name) {
  const std::int32_t id = vocabulary.find(name);
  return id >= 0 && vocabulary.tokens[static_cast<std::size_t>(id)].ends;
}

void make_ordinary(Vocabulary& vocabulary, std::string_view name, TokenKind kind) {
  const std::int32_t id = vocabulary.find(name);
  if (id < 0) return;
  VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
  token.kind = kind;
  token.control = token.ends = false;
}

void mark_ends(Vocabulary& vocabulary) {
  for (const std::string_view name : kEnds) {
    const std::int32_t id = vocabulary.find(name);
    if (id < 0) continue;
    VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
    token.ends = token.control = true;
  }
  // What follows these belongs to another file or to no text at all: a reply that reaches them is over.
  mark_end(vocabulary, vocabulary.ids.fill_padding);
  mark_end(vocabulary, vocabulary.ids.fill_repository);
  mark_end(vocabulary, vocabulary.ids.fill_separator);
  mark_end(vocabulary, vocabulary.ids.end);
  mark_end(vocabulary, vocabulary.ids.end_of_turn);
  mark_end(vocabulary, vocabulary.ids.end_of_message);
}

// Formats in which a name of the list above means something smaller than the end of the reply.
void correct_ends(Vocabulary& vocabulary) {
  const bool harmony = ends_by_name(vocabulary, "<|return|>") &&
                       (ends_by_name(vocabulary, "<|call|>") || ends_by_name(vocabulary, "<|calls|>"));
  const bool flushing = ends_by_name(vocabulary, "<|flush|>") &&
                        (ends_by_name(vocabulary, "<|call|>") || ends_by_name(vocabulary, "<|calls|>"));
  if (harmony || flushing) make_ordinary(vocabulary, "<|end|>", TokenKind::user_defined);
  if (ends_by_name(vocabulary, "<|tool_response>")) make_ordinary(vocabulary, "</s>", TokenKind::normal);
}

// The attributes lstrip and rstrip of published tokenizer.json files, which GGUF does not carry.
void mark_stripping(Vocabulary& vocabulary, const Metadata& metadata) {
  const auto text_of = [&metadata](std::string_view key) {
    auto value = metadata.text(key);
    return value && *value ? **value : std::string();
  };
  const auto strip_left = [&vocabulary](std::string_view name) {
    const std::int32_t id = vocabulary.find(name);
    if (id >= 0) vocabulary.tokens[static_cast<std::size_t>(id)].strip_left = true;
  };
  std::string name = text_of("general.name");
  std::transform(name.begin(), name.end(), name.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  });
  const auto named = [](const std::string& where, std::string_view what) {
    return where.find(what) != std::string::npos;
  };
  const std::string rules = text_of("tokenizer.ggml.pre");
  const std::string architecture = text_of("general.architecture");
  if (named(rules, "jina-v2-de") || named(rules, "jina-v2-es") || named(rules, "jina-v2-code") ||
      named(architecture, "nomic-bert-moe") || named(architecture, "jina-bert-v3")) {
    strip_left("<mask>");
  } else if (named(name, "phi-3") || named(name, "phi3")) {
    for (VocabularyToken& token : vocabulary.tokens) {
      token.strip_right = (token.special() || token.text == "</s>") && token.text != "<unk>" &&
                          token.text != "<s>" && token.text != "<|endoftext|>";
    }
  } else if (named(name, "modern-bert")) {
    strip_left("[MASK]");
  }
}

}  // namespace

void mark_well_known_tokens(Vocabulary& vocabulary, const Metadata& metadata) {
  mark_control(vocabulary, kFillPrefix, vocabulary.ids.fill_prefix);
  mark_control(vocabulary, kFillSuffix, vocabulary.ids.fill_suffix);
  mark_control(vocabulary, kFillMiddle, vocabulary.ids.fill_middle);
  mark_control(vocabulary, kFillPadding, vocabulary.ids.fill_padding);
  mark_control(vocabulary, kFillRepository, vocabulary.ids.fill_repository);
  mark_control(vocabulary, kFillSeparator, vocabulary.ids.fill_separator);
  mark_ends(vocabulary);
  for (const std::string_view name : kShown) {
    const std::int32_t id = vocabulary.find(name);
    if (id < 0) continue;
    VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
    token.kind = TokenKind::user_defined;
    token.control = false;
  }
  correct_ends(vocabulary);
  mark_stripping(vocabulary, metadata);
}

}  // namespace pensieve::model
