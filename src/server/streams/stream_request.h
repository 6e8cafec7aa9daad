// From a request's JSON to a generation that writes into its stream, for every transport that sends numbered
// events. The same dialects as HTTP: what is valid here is valid there.
#pragma once

#include <memory>
#include <string>

#include "server/context.h"
#include "server/dialects/generation_fields.h"
#include "server/executor.h"
#include "server/streams/open_streams.h"

namespace pensieve::server {

// A chat completion's or text completion's body; streams have one answer and no log-probabilities.
Result<Call> read_stream_chat(const Json& body);
Result<Call> read_stream_completion(const Json& body);

// Finds the model and submits. Whatever goes wrong ends the stream with an error; so does a call that is an
// error itself. `executor`: work goes on there once the model is found, and not at all after the server's
// end.
void start_stream(Context& context, std::shared_ptr<Executor> executor, OpenStreams::Stream stream,
                  Result<Call> call, std::string request_id);

// One line about a stream that has ended.
void log_stream(const Context& context, std::string_view transport, std::string_view request_id,
                const StreamEvent& last);

}  // namespace pensieve::server
