// Fuzzes the validator of Messages bodies: any bytes. No crash, no exception.
#include <cstddef>
#include <cstdint>
#include <string>

#include "server/dialects/messages_request.h"
#include "server/dialects/volatile_lines.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace server = pensieve::server;
  const auto body = server::parse_body({reinterpret_cast<const char*>(data), size});
  if (!body) return 0;
  pensieve::ModelInfo info;
  info.vocabulary = 1000;
  if (auto read = server::read_messages_call(*body, size % 2 == 0)) {
    const std::string names[] = {"x-", ""};
    server::steady_lines(names, read->call.generation);
    static_cast<void>(server::fit_to_model(info, read->call));
  }
  return 0;
}
