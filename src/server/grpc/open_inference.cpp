// inference.GRPCInferenceService: the Open Inference Protocol, version 2. A text goes in as a tensor of one
// string, the answer comes out as one; sampling is JSON in a tensor beside it.
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include "inference/open_inference.grpc.pb.h"
#include "server/dialects/reply_parts.h"
#include "server/generation.h"
#include "server/grpc/keyed_method.h"
#include "server/grpc/site.h"
#include "server/grpc/unary_call.h"
#include "server/random_id.h"
#include "server/streams/stream_request.h"
#include "util/unicode.h"

namespace pensieve::server {
namespace {

namespace oip = ::inference;
using grpc::CallbackServerContext;
using Input = oip::ModelInferRequest::InferInputTensor;

constexpr std::string_view kText = "text_input", kSampling = "sampling_parameters", kStream = "stream",
                           kOutput = "text_output";

tl::unexpected<Error> wrong(std::string what, std::string_view input) {
  return fail(Error::Code::invalid, std::move(what), std::string(input));
}

// Raw contents of a BYTES tensor of one element: its length in four little-endian bytes, then the bytes.
Result<std::string> unpack(std::string_view raw, const std::string& name) {
  std::uint32_t length = 0;
  if (raw.size() >= sizeof(length)) {
    for (std::size_t i = 0; i < sizeof(length); ++i)
      length |= static_cast<std::uint32_t>(static_cast<unsigned char>(raw[i])) << (8 * i);
  }
  if (raw.size() < sizeof(length) || raw.size() - sizeof(length) != length) {
    return wrong(fmt::format("{}: the raw contents are not a four-byte length and as many bytes", name),
                 name);
  }
  return std::string(raw.substr(sizeof(length)));
}

std::string pack(const std::string& text) {
  std::string raw;
  for (std::size_t i = 0; i < sizeof(std::uint32_t); ++i)
    raw += static_cast<char>(text.size() >> (8 * i) & 0xFF);
  raw += text;
  return raw;
}

Result<> check_shape(const Input& input, std::string_view datatype) {
  if (input.datatype() != datatype) {
    return wrong(fmt::format("{}: datatype must be {}, not '{}'", input.name(), datatype,
                             input.datatype().substr(0, 40)),
                 input.name());
  }
  const bool one = input.shape_size() == 0 || (input.shape_size() == 1 && input.shape(0) == 1) ||
                   (input.shape_size() == 2 && input.shape(0) == 1 && input.shape(1) == 1);
  if (!one) return wrong(fmt::format("{}: shape must be [1]", input.name()), input.name());
  return {};
}

Result<std::string> text_of(const Input& input, const std::string* raw) {
  if (auto checked = check_shape(input, "BYTES"); !checked) return tl::unexpected(checked.error());
  Result<std::string> text;
  if (raw != nullptr) {
    text = unpack(*raw, input.name());
  } else if (input.contents().bytes_contents_size() == 1) {
    text = input.contents().bytes_contents(0);
  } else {
    return wrong(fmt::format("{}: bytes_contents must hold one string, not {}", input.name(),
                             input.contents().bytes_contents_size()),
                 input.name());
  }
  if (text && !util::valid_utf8(*text))
    return wrong(fmt::format("{} is not valid UTF-8", input.name()), input.name());
  return text;
}

Result<bool> flag_of(const Input& input, const std::string* raw) {
  if (auto checked = check_shape(input, "BOOL"); !checked) return tl::unexpected(checked.error());
  if (raw != nullptr ? raw->size() != 1 : input.contents().bool_contents_size() != 1)
    return wrong(fmt::format("{}: one truth value is needed", input.name()), input.name());
  return raw != nullptr ? raw->front() != 0 : input.contents().bool_contents(0);
}

// The request as the body of a text completion.
Result<Json> read_infer(const oip::ModelInferRequest& request) {
  const bool raw = request.raw_input_contents_size() > 0;
  if (raw && request.raw_input_contents_size() != request.inputs_size()) {
    return wrong(fmt::format("raw_input_contents has {} entries for {} inputs",
                             request.raw_input_contents_size(), request.inputs_size()),
                 "raw_input_contents");
  }
  Json body = Json::object();
  std::optional<std::string> prompt;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const Input& input = request.inputs(i);
    const std::string* bytes = raw ? &request.raw_input_contents(i) : nullptr;
    if (input.name() == kText) {
      auto text = text_of(input, bytes);
      if (!text) return tl::unexpected(text.error());
      prompt = std::move(*text);
    } else if (input.name() == kSampling) {
      const auto text = text_of(input, bytes);
      if (!text) return tl::unexpected(text.error());
      auto json = util::parse_json(*text);
      if (!json) return wrong(fmt::format("{} is {}", kSampling, json.error().what), kSampling);
      if (!json->is_object()) return wrong(fmt::format("{} must be a JSON object", kSampling), kSampling);
      body = std::move(*json);
    } else if (input.name() == kStream) {
      const auto flag = flag_of(input, bytes);
      if (!flag) return tl::unexpected(flag.error());
      if (*flag)
        return wrong("stream: ModelInfer answers once; use pensieve.v1.Inference/Complete for a stream",
                     kStream);
    } else {
      return wrong(fmt::format("there is no input '{}'; there are {}, {}, {}", input.name().substr(0, 100),
                               kText, kSampling, kStream),
                   input.name());
    }
  }
  if (!prompt) return wrong(fmt::format("the input {} is missing", kText), kText);
  for (const auto& output : request.outputs()) {
    if (output.name() != kOutput)
      return wrong(fmt::format("there is no output '{}'; there is {}", output.name().substr(0, 100), kOutput),
                   output.name());
  }
  for (const char* ours : {"model", "prompt", "stream", "stream_options"}) body.erase(ours);
  body["model"] = request.model_name();
  body["prompt"] = std::move(*prompt);
  return body;
}

// Gathers one generation's text into one answer, on the lane.
class Gathering : public std::enable_shared_from_this<Gathering> {
 public:
  Gathering(GrpcSite& site, std::shared_ptr<UnaryCall> unary, const oip::ModelInferRequest& request,
            oip::ModelInferResponse* response)
      : site_(site),
        unary_(std::move(unary)),
        response_(response),
        id_(request.id()),
        raw_(request.raw_input_contents_size() > 0) {}

  void begin(Result<Call> asked, std::string owner, const std::string& request_id) {
    request_id_ = request_id;
    auto stream = site_.context.streams.open(random_id("gen_", 20), std::move(owner), false);
    if (!stream) return unary_->refuse(stream.error());
    stream_ = *stream;
    reader_ = *stream_->attach(
        0, [self = shared_from_this(), lane = site_.lane] { lane->post([self] { self->pump(); }); });
    unary_->on_cancel([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->site_.context.streams.leave(self->stream_, self->reader_);
    });
    start_stream(site_.context, site_.lane, stream_, std::move(asked), request_id);
  }

 private:
  void pump() {
    while (auto event = stream_->next(reader_)) {
      if (auto* created = std::get_if<StreamCreated>(&event->what)) model_ = std::move(created->model);
      if (const auto* text = std::get_if<StreamText>(&event->what)) text_ += text->text;
      if (!event->last()) continue;
      log_stream(site_.context, "grpc", request_id_, *event);
      if (const auto* error = std::get_if<Error>(&event->what)) {
        unary_->refuse(*error);
      } else {
        unary_->answer([this] { fill(); });
      }
      site_.context.streams.leave(stream_, reader_);  // drops the wake, which holds this object
      return;
    }
  }
  void fill() {
    response_->set_model_name(model_);
    response_->set_id(id_);
    auto* output = response_->add_outputs();
    output->set_name(std::string(kOutput));
    output->set_datatype("BYTES");
    output->add_shape(1);
    if (raw_) {
      response_->add_raw_output_contents(pack(text_));
    } else {
      output->mutable_contents()->add_bytes_contents(text_);
    }
  }

  GrpcSite& site_;
  const std::shared_ptr<UnaryCall> unary_;
  oip::ModelInferResponse* const response_;
  const std::string id_;
  const bool raw_;
  std::string request_id_, model_, text_;
  OpenStreams::Stream stream_;
  GenerationStream::Reader reader_ = 0;
};

void describe(oip::ModelMetadataResponse::TensorMetadata* tensor, std::string_view name,
              const char* datatype) {
  tensor->set_name(std::string(name));
  tensor->set_datatype(datatype);
  tensor->add_shape(1);
}

// Methods by their place in the protocol's definition.
enum Method { kServerLive, kServerReady, kModelReady, kServerMetadata, kModelMetadata, kModelInfer };

class OpenInferenceService final : public oip::GRPCInferenceService::Service {
 public:
  using Unary = std::shared_ptr<UnaryCall>;

  explicit OpenInferenceService(GrpcSite& site) : site_(site) {
    mark<oip::ServerLiveRequest, oip::ServerLiveResponse>(kServerLive, &OpenInferenceService::server_live);
    mark<oip::ServerReadyRequest, oip::ServerReadyResponse>(kServerReady,
                                                            &OpenInferenceService::server_ready);
    mark<oip::ModelReadyRequest, oip::ModelReadyResponse>(kModelReady, &OpenInferenceService::model_ready);
    mark<oip::ServerMetadataRequest, oip::ServerMetadataResponse>(kServerMetadata,
                                                                  &OpenInferenceService::server_metadata);
    mark<oip::ModelMetadataRequest, oip::ModelMetadataResponse>(kModelMetadata,
                                                                &OpenInferenceService::model_metadata);
    mark<oip::ModelInferRequest, oip::ModelInferResponse>(kModelInfer, &OpenInferenceService::model_infer);
  }

 private:
  template <class Request, class Response>
  void mark(Method method, void (OpenInferenceService::*work)(const Unary&, const CallbackServerContext&,
                                                              const Request&, Response*)) {
    MarkMethodRawCallback(
        method,
        unary_method<Request, Response>(
            site_, [this, work](const Unary& unary, const CallbackServerContext& call, const Request& request,
                                Response* response) { (this->*work)(unary, call, request, response); }));
  }

  void server_live(const Unary& unary, const CallbackServerContext&, const oip::ServerLiveRequest&,
                   oip::ServerLiveResponse* response) {
    unary->answer([&] { response->set_live(true); });
  }
  void server_ready(const Unary& unary, const CallbackServerContext&, const oip::ServerReadyRequest&,
                    oip::ServerReadyResponse* response) {
    unary->answer(
        [&] { response->set_ready(!site_.context.draining && site_.context.services.models.ready()); });
  }
  void model_ready(const Unary& unary, const CallbackServerContext&, const oip::ModelReadyRequest& request,
                   oip::ModelReadyResponse* response) {
    const auto status = site_.context.services.models.find(request.name());
    if (!status) return unary->refuse(status.error());
    unary->answer([&] { response->set_ready(status->state == manage::ModelState::loaded); });
  }
  void server_metadata(const Unary& unary, const CallbackServerContext&, const oip::ServerMetadataRequest&,
                       oip::ServerMetadataResponse* response) {
    unary->answer([&] {
      response->set_name("pensieve");
      response->set_version(PENSIEVE_VERSION);
    });
  }
  void model_metadata(const Unary& unary, const CallbackServerContext&,
                      const oip::ModelMetadataRequest& request, oip::ModelMetadataResponse* response) {
    const auto status = site_.context.services.models.find(request.name());
    if (!status) return unary->refuse(status.error());
    unary->answer([&] {
      response->set_name(status->info.name);
      response->add_versions("1");
      response->set_platform(fmt::format("pensieve_{}", status->info.format));
      describe(response->add_inputs(), kText, "BYTES");
      describe(response->add_inputs(), kSampling, "BYTES");
      describe(response->add_inputs(), kStream, "BOOL");
      describe(response->add_outputs(), kOutput, "BYTES");
    });
  }
  void model_infer(const Unary& unary, const CallbackServerContext& call,
                   const oip::ModelInferRequest& request, oip::ModelInferResponse* response) {
    auto asked = read_infer(request).and_then(read_stream_completion);
    std::make_shared<Gathering>(site_, unary, request, response)
        ->begin(std::move(asked), key_owner(site_, call), call_id(call));
  }

  GrpcSite& site_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_open_inference_service(GrpcSite& site) {
  return std::make_unique<OpenInferenceService>(site);
}

}  // namespace pensieve::server
