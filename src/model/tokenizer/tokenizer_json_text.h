// The parts of a tokenizer.json that say how text is prepared and what surrounds it: normalizer,
// pre_tokenizer, decoder, post_processor. Used by tokenizer_json.cpp only; keys: tokenizer_json.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/metadata.h"
#include "core/result.h"
#include "util/json.h"

namespace pensieve::model {

// The member of an object; null when it is absent or null, or `object` is none.
const util::Json* member(const util::Json& object, const char* name);
// The text of a member; empty where there is none.
std::string json_text(const util::Json& step, const char* name);

struct JsonStep {
  std::string type;
  const util::Json* json;
};
// The steps of root[name], with sequences unfolded (their parts stand under `parts`).
std::vector<JsonStep> json_steps(const util::Json& root, const char* name, const char* parts);
tl::unexpected<Error> unsupported_step(std::string_view member, const util::Json& step);

// Chooses the family (tokenizer.ggml.model) and sets what it needs; `unsupported` names a step that none of
// our tokenizers does.
Result<> read_text_steps(const util::Json& root, Metadata& metadata);

// Which tokens stand before and after a text, and between two (tokenizer_json_frame.cpp). `vocabulary`: how
// many tokens there are.
Result<> read_template_tokens(const util::Json& root, std::size_t vocabulary, Metadata& metadata);

}  // namespace pensieve::model
