// Fuzzes the validator of embeddings: any bytes as a body. No crash, no exception.
#include <cstddef>
#include <cstdint>

#include "server/dialects/embeddings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace server = pensieve::server;
  const auto body = server::parse_body({reinterpret_cast<const char*>(data), size});
  if (!body) return 0;
  pensieve::ModelInfo info;
  info.vocabulary = 1000;
  if (auto call = server::read_embeddings_call(*body)) static_cast<void>(server::fit_embeddings(info, *call));
  return 0;
}
