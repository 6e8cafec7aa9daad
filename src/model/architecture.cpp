// Look-up in the generated table of architectures.
#include "model/architecture.h"

namespace pensieve::model {

const Architecture* find_architecture(std::string_view gguf_name) {
  for (const Architecture* architecture : architectures()) {
    if (architecture->gguf_name == gguf_name) return architecture;
  }
  return nullptr;
}

}  // namespace pensieve::model
