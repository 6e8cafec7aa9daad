// The answer of the Responses API: items that grow while the model writes, as a document and, where it is
// streamed, as events on the way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/dialects/response_request.h"
#include "server/exchange.h"
#include "server/generation.h"

namespace pensieve::server {

// Reasoning, a message or a call: the parts that an answer is made of.
struct ResponseItem {
  enum class Kind : std::uint8_t { reasoning, message, call };
  Kind kind = Kind::message;
  std::string id;
  std::string text;      // of reasoning or the message; a call's arguments
  std::string logprobs;  // of the message: entries, with commas
  std::string call_id, name;
  std::string_view status = "in_progress";
};

// Thread rule: the exchange's. Order: the receiver's calls, then finish, then send_end; or, whenever
// something went wrong after begin, send_failure.
class ResponseReply final : public GenerationReceiver {
 public:
  // `call` after fit_to_model, so that the settings of an answer say what was used. `events`: where it is
  // streamed to; null: not.
  ResponseReply(const ResponseCall& call, std::string_view model, Exchange* events);

  void begin() override;
  void receive(std::size_t generation, ReplyEvent& event) override;

  const std::string& id() const { return id_; }
  std::int64_t created_at() const { return created_at_; }
  const Usage& usage() const { return finished_.usage; }
  void finish();  // closes the last item
  void set_stored(bool stored) { stored_ = stored; }
  std::string document() const;             // the answer, once finished
  std::vector<std::string> output() const;  // JSON of each item
  std::vector<std::string> output_ids() const;
  void send_end();                        // the last event
  void send_failure(const Error& error);  // instead of it

 private:
  using Kind = ResponseItem::Kind;
  void add_text(const TextDelta& delta);
  void add_call(const ToolCallDelta& delta);
  ResponseItem& open(Kind kind, const char* id_prefix);
  void close(std::string_view status);
  void send_opening(const ResponseItem& item);
  void send_closing(const ResponseItem& item);

  void start_event(std::string_view type);  // "type" and "sequence_number"
  void start_item_event(std::string_view type, const ResponseItem& item);
  void send_started();
  void append_item(const ResponseItem& item, bool empty, std::string& out) const;
  void append_part(const ResponseItem& item, bool empty, std::string& out) const;
  void append_response(std::string_view status, const Error* error, std::string& out) const;

  const std::string id_;
  const std::int64_t created_at_;
  const bool summary_, wrapped_, logprobs_, cached_;
  bool stored_;
  Exchange* const events_;
  std::string head_, settings_;  // members of every document, without braces
  std::vector<ResponseItem> items_;
  bool is_open_ = false;          // the last item
  std::string waiting_logprobs_;  // of tokens whose text has not come yet
  Finished finished_;
  bool complete_ = false;
  std::int64_t completed_at_ = 0;
  std::string type_, event_;  // of the event being made
  std::int64_t sequence_ = 0;
};

}  // namespace pensieve::server
