// Errors as gRPC statuses, and what every call asks of its metadata.
#include <grpcpp/grpcpp.h>

#include <algorithm>

#include "server/grpc/site.h"
#include "server/random_id.h"
#include "util/unicode.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kMessageBytes = 2000;  // clients accept 8 KiB of metadata in all
constexpr std::size_t kRequestIdBytes = 128;

std::string_view metadata(const grpc::CallbackServerContext& call, const char* name) {
  const auto found = call.client_metadata().find(name);
  return found == call.client_metadata().end() ? std::string_view()
                                               : std::string_view(found->second.data(), found->second.size());
}

std::string_view key_of(const grpc::CallbackServerContext& call) {
  return presented_key(metadata(call, "authorization"), metadata(call, "x-api-key"));
}

grpc::StatusCode code_of(const Error& error) {
  using Code = Error::Code;
  switch (error.code) {
    case Code::invalid:
      return error.reason == "id_in_use" ? grpc::StatusCode::ALREADY_EXISTS
                                         : grpc::StatusCode::INVALID_ARGUMENT;
    case Code::unsupported:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case Code::not_found:
      return grpc::StatusCode::NOT_FOUND;
    case Code::exhausted:
      return error.reason == "context_length_exceeded" ? grpc::StatusCode::INVALID_ARGUMENT
                                                       : grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Code::cancelled:
      return grpc::StatusCode::CANCELLED;
    case Code::unavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case Code::io:
    case Code::internal:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::INTERNAL;
}

}  // namespace

grpc::Status to_status(const Error& error) {
  std::string_view text(error.what);
  text = text.substr(0, std::min(text.size(), kMessageBytes));
  return {code_of(error), std::string(text.substr(0, util::complete_utf8(text)))};
}

Error broken_message() {
  return {Error::Code::invalid, "the message is not a valid encoding of the method's request", {}, {}, {}};
}

grpc::Status check_key(const GrpcSite& site, const grpc::CallbackServerContext& call) {
  if (site.keys.open() || site.keys.accepts(key_of(call))) return grpc::Status::OK;
  return {grpc::StatusCode::UNAUTHENTICATED,
          key_of(call).empty() ? "an API key is needed: send the metadata 'authorization: Bearer KEY'"
                               : "the API key is not known here"};
}

std::string key_owner(const GrpcSite& site, const grpc::CallbackServerContext& call) {
  return site.keys.owner(key_of(call));
}

std::string call_id(const grpc::CallbackServerContext& call) {
  const std::string_view given = metadata(call, "x-request-id");
  const bool sane = !given.empty() && given.size() <= kRequestIdBytes &&
                    std::all_of(given.begin(), given.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  return sane ? std::string(given) : random_id("req_", 20);
}

void acquire_on_lane(GrpcSite& site, const std::string& name, Acquired done) {
  site.context.services.models.acquire(name, [lane = site.lane, done = std::move(done)](auto model) {
    lane->post([done, model = std::move(model)] { done(model); });
  });
}

}  // namespace pensieve::server
