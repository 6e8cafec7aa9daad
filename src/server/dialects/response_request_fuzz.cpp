// Fuzzes the Responses API's reader: any bytes as a body. No crash, no exception, and what is accepted has a
// conversation.
#include <cstddef>
#include <cstdint>

#include "server/dialects/response_items.h"
#include "server/dialects/response_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace server = pensieve::server;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(server::unwrap_reasoning(bytes));
  const auto body = server::parse_body(bytes);
  if (!body) return 0;
  static_cast<void>(server::messages_of(*body));  // as items of a damaged file
  auto call = server::read_response_call(*body);
  if (!call) return 0;
  pensieve::ModelInfo info;
  info.vocabulary = 1000;
  static_cast<void>(server::fit_to_model(info, call->call));
  if (server::check_history(call->items)) server::set_conversation(*call);
  static_cast<void>(server::item_list_text(pensieve::util::to_json(call->items), {}));
  return 0;
}
