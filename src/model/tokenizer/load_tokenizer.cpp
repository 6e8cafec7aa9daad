// model::load_tokenizer: the tokenizer of an opened file. Not a builder: see tokenizer_factory.h.
#include "model/loaded_model.h"
#include "model/tokenizer/tokenizer_factory.h"

namespace pensieve::model {

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const ModelFile& file) {
  return make_tokenizer(file.metadata());
}

}  // namespace pensieve::model
