// load_chat_format: finds a model file's chat template and the texts of its begin and end tokens.
#include "model/chat/jinja_chat_format.h"
#include "model/loaded_model.h"

namespace pensieve::model {

Result<std::unique_ptr<ChatFormat>> load_chat_format(const ModelFile& file, const Tokenizer& tokenizer) {
  Result<std::optional<std::string>> source = file.metadata().text("tokenizer.chat_template");
  if (!source) return tl::unexpected(source.error());
  if (!*source || (*source)->empty()) return std::unique_ptr<ChatFormat>();
  const auto token_text = [&tokenizer](std::int32_t token) {
    return token < 0 ? std::string() : std::string(tokenizer.bytes(token, true));
  };
  return make_chat_format(std::move(**source), token_text(tokenizer.begin_token()),
                          token_text(tokenizer.end_token()));
}

}  // namespace pensieve::model
