// Fuzzes the validator of reranking: any bytes as a body. No crash, no exception.
#include <cstddef>
#include <cstdint>

#include "server/dialects/rerank.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace server = pensieve::server;
  const auto body = server::parse_body({reinterpret_cast<const char*>(data), size});
  if (!body) return 0;
  if (const auto call = server::read_rerank_call(*body)) {
    pensieve::Embeddings made;
    made.vectors.resize(call->documents.size(), {0.5F});
    static_cast<void>(server::rerank_text(made, *call, "model", "id"));
  }
  return 0;
}
