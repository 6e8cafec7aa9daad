// pensieve.v1.Inference: streams of numbered events for chats and completions, and the small questions beside
// them.
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include "pensieve/v1/inference.grpc.pb.h"
#include "server/dialects/embeddings.h"
#include "server/dialects/error_type.h"
#include "server/dialects/errors.h"
#include "server/dialects/model_object.h"
#include "server/dialects/stream_json.h"
#include "server/generation.h"
#include "server/grpc/keyed_method.h"
#include "server/grpc/request_json.h"
#include "server/grpc/site.h"
#include "server/grpc/unary_call.h"
#include "server/random_id.h"
#include "server/streams/stream_request.h"

namespace pensieve::server {
namespace {

using grpc::CallbackServerContext;
using grpc::Status;

constexpr std::size_t kIdBytes = 256;

void fill_usage(const Usage& usage, v1::Usage& out) {
  out.set_prompt_tokens(usage.prompt_tokens);
  out.set_completion_tokens(usage.completion_tokens);
  out.set_total_tokens(usage.prompt_tokens + usage.completion_tokens);
  out.set_cached_tokens(usage.cached_tokens);
  out.set_reasoning_tokens(usage.reasoning_tokens);
}

void fill_error(const Error& error, v1::Error& out) {
  out.set_type(std::string(error_type(http_status(error))));
  out.set_code(error.reason);
  out.set_message(error.what);
  out.set_param(error.field);
}

void fill_event(const GenerationStream& stream, StreamEvent& event, v1::GenerationEvent& out) {
  out.Clear();
  out.set_event_id(stream.event_id(event.sequence));
  out.set_id(stream.id());
  out.set_sequence(event.sequence);
  if (auto* created = std::get_if<StreamCreated>(&event.what)) {
    out.mutable_created()->set_model(std::move(created->model));
    out.mutable_created()->set_created(created->created);
  } else if (auto* text = std::get_if<StreamText>(&event.what)) {
    auto* delta = text->reasoning ? out.mutable_reasoning_delta() : out.mutable_message_delta();
    delta->set_delta(std::move(text->text));
  } else if (auto* call = std::get_if<ToolCallDelta>(&event.what)) {
    v1::ToolCallDelta& delta = *out.mutable_tool_call_delta();
    delta.set_index(call->index);
    delta.set_call_id(std::move(call->id));
    delta.set_name(std::move(call->name));
    delta.set_arguments(std::move(call->arguments));
  } else if (const auto* done = std::get_if<StreamDone>(&event.what)) {
    out.mutable_done()->set_finish_reason(std::string(stream_finish_name(done->reason)));
    fill_usage(done->usage, *out.mutable_done()->mutable_usage());
  } else {
    fill_error(std::get<Error>(event.what), *out.mutable_error());
  }
}

// One generation on its way to one client. Everything but gRPC's own calls happens on the lane.
class StreamCall final : public grpc::ServerWriteReactor<v1::GenerationEvent> {
 public:
  // gRPC holds the result until OnDone; wakes that come later find it gone.
  // The message is read once the key is known to be right.
  template <class Request>
  static StreamCall* begin(GrpcSite& site, const CallbackServerContext& call, const grpc::ByteBuffer& bytes,
                           Result<Call> (*read)(const Request&)) {
    auto made = std::shared_ptr<StreamCall>(new StreamCall(site, call_id(call)));
    made->self_ = made;
    StreamCall* reactor = made.get();
    if (Status allowed = check_key(site, call); !allowed.ok()) {
      reactor->refuse(allowed);
    } else if (const Result<Request> request = read_message<Request>(bytes); !request) {
      reactor->refuse(to_status(request.error()));
    } else {
      reactor->open(key_owner(site, call), request->id(), read(*request));
    }
    return reactor;
  }

  void OnWriteDone(bool ok) override {
    on_lane([ok](StreamCall& call) {
      call.writing_ = false;
      ok && !call.gone_ ? call.pump() : call.give_up();
    });
  }
  // Ends the call whatever becomes of the generation: a model that hangs must not keep the server from
  // stopping. A write under way is over soon.
  void OnCancel() override {
    on_lane([](StreamCall& call) {
      call.gone_ = true;
      if (!call.writing_) call.give_up();
    });
  }
  void OnDone() override {
    const auto self = std::move(self_);  // goes last
    if (stream_) site_.context.streams.leave(stream_, reader_);
  }

 private:
  StreamCall(GrpcSite& site, std::string request_id)
      : site_(site), count_(site), request_id_(std::move(request_id)) {}

  // Before anything is posted to the lane.
  void refuse(const Status& status) {
    ended_ = true;
    Finish(status);
  }

  void open(std::string owner, std::string id, Result<Call> asked) {
    if (id.empty()) id = random_id("gen_", 20);
    if (id.size() > kIdBytes)
      return refuse(
          {grpc::StatusCode::INVALID_ARGUMENT, fmt::format("id is longer than {} bytes", kIdBytes)});
    auto stream = site_.context.streams.open(std::move(id), std::move(owner), false);
    if (!stream) return refuse(to_status(stream.error()));
    stream_ = *stream;
    reader_ = *stream_->attach(0, [weak = std::weak_ptr(self_), lane = site_.lane] {
      lane->post([weak] {
        if (const auto call = weak.lock()) call->pump();
      });
    });
    start_stream(site_.context, site_.lane, stream_, std::move(asked), request_id_);
  }

  void on_lane(std::function<void(StreamCall&)> work) {
    site_.lane->post([self = self_, work = std::move(work)] { work(*self); });
  }

  void pump() {
    if (writing_ || ended_) return;
    auto event = stream_->next(reader_);
    if (!event) return;
    const auto* error = std::get_if<Error>(&event->what);
    if (event->last()) {
      log_stream(site_.context, "grpc", request_id_, *event);
      status_ = error ? to_status(*error) : Status::OK;
      if (error && event->sequence == 1) return end(status_);  // refused: a status says it all
    }
    fill_event(*stream_, *event, message_);
    writing_ = true;
    if (event->last()) {
      ended_ = true;
      StartWriteAndFinish(&message_, grpc::WriteOptions(), status_);
    } else {
      StartWrite(&message_);
    }
  }
  void end(const Status& status) {
    if (std::exchange(ended_, true)) return;
    stream_->cancel();
    Finish(status);
  }
  void give_up() {
    if (!ended_) log_stream(site_.context, "grpc", request_id_, {0, StreamDone{FinishReason::cancelled, {}}});
    end({grpc::StatusCode::CANCELLED, "the client has gone"});
  }

  GrpcSite& site_;
  CallCount count_;
  const std::string request_id_;
  std::shared_ptr<StreamCall> self_;
  OpenStreams::Stream stream_;  // null when the call was refused before it had one
  GenerationStream::Reader reader_ = 0;
  v1::GenerationEvent message_;
  Status status_;
  bool writing_ = false, ended_ = false, gone_ = false;  // the lane only
};

void fill_model(const manage::ModelStatus& status, v1::Model& out) {
  out.set_id(status.info.name);
  out.set_context_length(context_of(status.info));
  for (const std::string& capability : status.info.capabilities) out.add_capabilities(capability);
  out.set_status(std::string(state_name(status.state)));
}

Result<> check_embed(const v1::EmbedRequest& request) {
  if (request.input_size() == 0)
    return fail(Error::Code::invalid, "input is empty: give at least one text", "input");
  if (auto few = check_input_count(static_cast<std::size_t>(request.input_size())); !few) return few;
  if (request.dimensions() < 0) {
    return fail(Error::Code::invalid,
                fmt::format("dimensions is {}; give a number above 0, or leave it out", request.dimensions()),
                "dimensions");
  }
  return {};
}

void fill_embeddings(Embeddings made, const std::string& model, v1::EmbedResponse& response) {
  response.set_model(model);
  for (const std::vector<float>& vector : made.vectors)
    response.add_data()->mutable_values()->Add(vector.begin(), vector.end());
  response.mutable_usage()->set_prompt_tokens(made.prompt_tokens);
  response.mutable_usage()->set_total_tokens(made.prompt_tokens);
}

Result<Call> read_chat(const v1::ChatRequest& request) {
  return chat_body(request).and_then(read_stream_chat);
}
Result<Call> read_completion(const v1::CompleteRequest& request) {
  return completion_body(request).and_then(read_stream_completion);
}

// Methods by their place in the protocol's definition.
enum Method { kChat, kComplete, kEmbed, kTokenize, kListModels, kLoadModel, kUnloadModel };

class InferenceService final : public v1::Inference::Service {
 public:
  using Unary = std::shared_ptr<UnaryCall>;

  explicit InferenceService(GrpcSite& site) : site_(site) {
    MarkMethodRawCallback(kChat, stream_method(&read_chat));
    MarkMethodRawCallback(kComplete, stream_method(&read_completion));
    mark<v1::EmbedRequest, v1::EmbedResponse>(kEmbed, &InferenceService::embed);
    mark<v1::TokenizeRequest, v1::TokenizeResponse>(kTokenize, &InferenceService::tokenize);
    mark<v1::ListModelsRequest, v1::ListModelsResponse>(kListModels, &InferenceService::list_models);
    mark<v1::LoadModelRequest, v1::LoadModelResponse>(kLoadModel, &InferenceService::load_model);
    mark<v1::UnloadModelRequest, v1::UnloadModelResponse>(kUnloadModel, &InferenceService::unload_model);
  }

 private:
  template <class Request>
  grpc::internal::MethodHandler* stream_method(Result<Call> (*read)(const Request&)) {
    return new grpc::internal::CallbackServerStreamingHandler<grpc::ByteBuffer, v1::GenerationEvent>(
        [this, read](CallbackServerContext* call,
                     const grpc::ByteBuffer* bytes) -> grpc::ServerWriteReactor<v1::GenerationEvent>* {
          return StreamCall::begin(site_, *call, *bytes, read);
        });
  }
  template <class Request, class Response>
  void mark(Method method, void (InferenceService::*work)(const Unary&, const CallbackServerContext&,
                                                          const Request&, Response*)) {
    MarkMethodRawCallback(
        method,
        unary_method<Request, Response>(
            site_, [this, work](const Unary& unary, const CallbackServerContext& call, const Request& request,
                                Response* response) { (this->*work)(unary, call, request, response); }));
  }

  void embed(const Unary& unary, const CallbackServerContext& call, const v1::EmbedRequest& request,
             v1::EmbedResponse* response) {
    if (const auto checked = check_embed(request); !checked) return unary->refuse(checked.error());
    EmbeddingRequest asked;
    asked.request_id = call_id(call);
    asked.truncate = request.truncate();
    for (const std::string& text : request.input()) asked.inputs.emplace_back(text);
    const std::int64_t dimensions = request.dimensions();
    with_model(unary, request.model(),
               [unary, asked = std::move(asked), dimensions,
                response](const std::shared_ptr<pensieve::Inference>& model) {
                 if (const auto width = model->info().embedding_width; dimensions > width) {
                   return unary->refuse(
                       {Error::Code::invalid,
                        fmt::format("dimensions is {}; {} has {}", dimensions, model->info().name, width),
                        "dimensions",
                        {},
                        {}});
                 }
                 model->embed(asked, [unary, dimensions, response, model](Result<Embeddings> made) {
                   if (!made) return unary->refuse(made.error());
                   if (dimensions > 0) {
                     if (auto cut = cut_vectors(dimensions, made->vectors); !cut)
                       return unary->refuse(cut.error());
                   }
                   unary->answer([&] { fill_embeddings(std::move(*made), model->info().name, *response); });
                 });
               });
  }

  void tokenize(const Unary& unary, const CallbackServerContext&, const v1::TokenizeRequest& request,
                v1::TokenizeResponse* response) {
    const EncodeOptions options{request.add_special(), request.parse_special()};
    with_model(
        unary, request.model(),
        [unary, text = request.text(), options, response](const std::shared_ptr<pensieve::Inference>& model) {
          model->tokenize(text, options, [unary, response, model](const Result<TokenizedText>& tokens) {
            if (!tokens) return unary->refuse(tokens.error());
            unary->answer(
                [&] { response->mutable_ids()->Add(tokens->tokens.begin(), tokens->tokens.end()); });
          });
        });
  }

  void list_models(const Unary& unary, const CallbackServerContext&, const v1::ListModelsRequest&,
                   v1::ListModelsResponse* response) {
    unary->answer([&] {
      for (const manage::ModelStatus& status : site_.context.services.models.list())
        fill_model(status, *response->add_models());
    });
  }

  void load_model(const Unary& unary, const CallbackServerContext&, const v1::LoadModelRequest& request,
                  v1::LoadModelResponse* response) {
    with_model(unary, request.model(),
               [this, unary, response](const std::shared_ptr<pensieve::Inference>& model) {
                 const auto status = site_.context.services.models.find(model->info().name);
                 if (!status) return unary->refuse(status.error());
                 unary->answer([&] { fill_model(*status, *response->mutable_model()); });
               });
  }

  void unload_model(const Unary& unary, const CallbackServerContext&, const v1::UnloadModelRequest& request,
                    v1::UnloadModelResponse* response) {
    const auto status = site_.context.services.models.unload(request.model());
    if (!status) return unary->refuse(status.error());
    unary->answer([&] { fill_model(*status, *response->mutable_model()); });
  }

  void with_model(const std::shared_ptr<UnaryCall>& unary, const std::string& name,
                  std::function<void(const std::shared_ptr<pensieve::Inference>&)> work) {
    if (unary->ended()) return;
    if (site_.context.draining) return unary->refuse(server_stops());
    acquire_on_lane(
        site_, name,
        [unary, work = std::move(work)](const Result<std::shared_ptr<pensieve::Inference>>& model) {
          if (!model) return unary->refuse(model.error());
          if (!unary->ended()) work(*model);
        });
  }

  GrpcSite& site_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_inference_service(GrpcSite& site) {
  return std::make_unique<InferenceService>(site);
}

}  // namespace pensieve::server
