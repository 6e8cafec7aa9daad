// Fuzzes the request validators: any bytes as a chat or text completion's body. No crash, no exception.
#include <cstddef>
#include <cstdint>

#include "server/dialects/chat_request.h"
#include "server/dialects/completion_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace server = pensieve::server;
  const auto body = server::parse_body({reinterpret_cast<const char*>(data), size});
  if (!body) return 0;
  pensieve::ModelInfo info;
  info.vocabulary = 1000;
  if (auto chat = server::read_chat_call(*body)) static_cast<void>(server::fit_to_model(info, *chat));
  if (auto text = server::read_completion_call(*body))
    static_cast<void>(server::fit_to_model(info, text->call));
  return 0;
}
