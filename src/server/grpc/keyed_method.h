// Methods whose message is read after the key was looked at: unpacked, a message may take many times the room
// that it took on the wire, which nobody without a key should be able to ask for. gRPC's generated services
// unpack first; these take the bytes as they came.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "core/result.h"
#include "server/grpc/site.h"
#include "server/grpc/unary_call.h"

namespace pensieve::server {

// Error: broken_message().
template <class Request>
Result<Request> read_message(const grpc::ByteBuffer& bytes) {
  grpc::ByteBuffer consumed(bytes);  // shares what it holds
  Request request;
  if (!grpc::SerializationTraits<Request>::Deserialize(&consumed, &request).ok())
    return tl::unexpected(broken_message());
  return request;
}

// A method with one answer. `work` gets the call, what gRPC knows of it, the request, which ends with it, and
// where the answer goes. gRPC's service owns the result.
template <class Request, class Response, class Work>
grpc::internal::MethodHandler* unary_method(GrpcSite& site, Work work) {
  return new grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, Response>(
      [&site, work = std::move(work)](grpc::CallbackServerContext* call, const grpc::ByteBuffer* bytes,
                                      Response* response) -> grpc::ServerUnaryReactor* {
        const std::shared_ptr<UnaryCall> unary = UnaryCall::begin(site, *call);
        if (unary->ended()) return unary->reactor();
        const Result<Request> request = read_message<Request>(*bytes);
        if (request) {
          work(unary, *call, *request, response);
        } else {
          unary->refuse(request.error());
        }
        return unary->reactor();
      });
}

}  // namespace pensieve::server
