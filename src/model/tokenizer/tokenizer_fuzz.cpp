// libFuzzer target: a vocabulary and a text made from the input. Checks that nothing crashes, that what was
// accepted encodes to ids of the vocabulary, and that the ids' bytes give the text back where every byte has
// a token.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/pre_tokenizer_rules.h"
#include "model/tokenizer/testing_vocabulary.h"
#include "model/tokenizer/tokenizer_factory.h"

namespace {

using pensieve::model::testing::TestingVocabulary;

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::string_view text(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// Mostly well-formed, so that encoding is reached; `spoiled` reports what may keep bytes from coming back.
pensieve::Metadata make_metadata(Input& input, bool& spoiled) {
  TestingVocabulary vocabulary;
  spoiled = false;
  const auto names = pensieve::model::rule_names();
  const std::string rules(names[input.byte() % names.size()]);
  for (int steps = input.byte() % 32; steps > 0; --steps) {
    const std::uint8_t kind = input.byte();
    const std::string_view text = input.text(kind % 8 + 1U);
    if (text.size() < 2) continue;
    if (kind < 128) {
      vocabulary.merge(text.substr(0, text.size() / 2), text.substr(text.size() / 2));
    } else if (kind < 200) {
      vocabulary.add(std::string(text), kind % 7);
      spoiled = true;
    } else if (kind < 240) {
      vocabulary.add(pensieve::model::testing::in_alphabet(text), 1 + kind % 4);
    } else {
      vocabulary.merges.emplace_back(text);
    }
  }
  pensieve::Metadata metadata = vocabulary.metadata(rules);
  const std::uint8_t extra = input.byte();
  if ((extra & 1) != 0) metadata.set("tokenizer.ggml.bos_token_id", std::uint64_t{input.byte()} * 2);
  if ((extra & 2) != 0) metadata.set("tokenizer.ggml.eos_token_id", std::int64_t{input.byte()} - 2);
  if ((extra & 4) != 0) metadata.set("general.name", std::string("phi-3"));
  if ((extra & 7) != 0) spoiled = true;
  if ((extra & 8) != 0) metadata.set("tokenizer.ggml.add_eos_token", true);
  return metadata;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  bool spoiled = false;
  const pensieve::Metadata metadata = make_metadata(input, spoiled);
  const auto tokenizer = pensieve::model::make_tokenizer(metadata);
  if (!tokenizer) {
    if (tokenizer.error().what.empty()) std::abort();
    return 0;
  }
  for (const bool special : {false, true}) {
    std::vector<std::int32_t> tokens;
    (*tokenizer)->encode(input.rest(), {special, special}, tokens);
    std::string joined;
    for (const std::int32_t token : tokens) {
      if (token < 0 || token >= (*tokenizer)->vocabulary()) std::abort();
      joined += (*tokenizer)->bytes(token, true);
    }
    if (!special && !spoiled && joined != input.rest()) std::abort();
    if ((*tokenizer)->decode(tokens, special).size() > joined.size()) std::abort();
  }
  return 0;
}
