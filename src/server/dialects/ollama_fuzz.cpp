// Fuzzes the readers of Ollama's bodies: any bytes. No crash, no exception.
#include <cstddef>
#include <cstdint>

#include "server/dialects/ollama_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace server = pensieve::server;
  const auto body = server::parse_body({reinterpret_cast<const char*>(data), size});
  if (!body) return 0;
  pensieve::ModelInfo info;
  info.vocabulary = 1000;
  for (const auto read : {&server::read_ollama_generate, &server::read_ollama_chat}) {
    if (auto asked = read(*body)) static_cast<void>(server::fit_to_model(info, asked->call));
  }
  static_cast<void>(server::read_ollama_embed(*body));
  static_cast<void>(server::read_ollama_embeddings(*body));
  return 0;
}
