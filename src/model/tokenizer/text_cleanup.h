// The clean-up that some tokenizers apply to decoded text. Not part of tokens' bytes: streams of tokens have
// none of it.
#pragma once

#include <string>
#include <string_view>

namespace pensieve::model {

// Removes the space before ? ! . , then both spaces around a lone apostrophe, then the space before 's 'm 're
// 've
// (`clean_up_tokenization_spaces` of published tokenizer_config.json files, as GGUF readers apply it).
std::string clean_spaces(std::string_view text);

}  // namespace pensieve::model
