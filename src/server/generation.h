// Running generations for an exchange: submit, hand the events to a receiver in order, stop the work when the
// client leaves. Knows no wire format: receivers are dialects.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/inference.h"
#include "server/context.h"
#include "server/dialects/generation_fields.h"
#include "server/exchange.h"

namespace pensieve::server {

// Called on the exchange's executor, in this order: begin once, then the events; nothing when a generation is
// refused.
class GenerationReceiver {
 public:
  virtual ~GenerationReceiver() = default;
  virtual void begin() = 0;  // every generation was admitted: from here on the reply is a success
  virtual void receive(std::size_t generation, ReplyEvent& event) = 0;  // never Failed
};

// Returns when all choices of all requests have finished, one failed, or the exchange was cancelled; in the
// latter cases the rest is cancelled and the error says why.
Task<Result<>> run_generations(Exchange& exchange, Inference& model, std::vector<GenerationRequest> requests,
                               GenerationReceiver& receiver);

// The model of that name, loaded; an empty name means the server's only one.
Task<Result<std::shared_ptr<Inference>>> acquire_model(Exchange& exchange, Context& context,
                                                       std::string name);

// What is answered to new work once the server is about to stop.
Error server_stops();

// Told before the reply: a header that lists the fields that could not act.
void tell_inert(Exchange& exchange, const Call& call);
// What a request says of its model besides the generation: how long it stays.
Result<> keep_model(Context& context, const ModelInfo& info, const Call& call);

// One debug line naming the fields of a request that were ignored.
void log_unknown(const Context& context, std::string_view request_id, const std::vector<std::string>& fields);
inline void log_unknown(const Context& context, const Exchange& exchange,
                        const std::vector<std::string>& fields) {
  log_unknown(context, exchange.request().id, fields);
}

}  // namespace pensieve::server
