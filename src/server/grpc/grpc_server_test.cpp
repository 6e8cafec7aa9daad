// The gRPC port over real connections with a scripted model: what a client sees of streams, statuses, keys,
// deadlines, health, reflection and the Open Inference Protocol.
#include "server/grpc/grpc_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/client_unary_call.h>
#include <gtest/gtest.h>

#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "inference/open_inference.grpc.pb.h"
#include "pensieve/v1/inference.grpc.pb.h"
#include "server/server.h"
#include "server/testing/fake_services.h"
#include "server/testing/socket_client.h"
#include "util/json.h"

namespace pensieve::server {
namespace {

namespace health = ::grpc::health::v1;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using ::testing::HasSubstr;

class GrpcServerTest : public ::testing::Test {
 protected:
  void begin(Options options = {}) {
    options.port = 0;
    auto started = Server::start(options, services_);
    ASSERT_TRUE(started) << started.error().what;
    server_ = std::move(*started);
    const auto grpc = server_->open_grpc(0);
    ASSERT_TRUE(grpc) << grpc.error().what;
    channel_ = grpc::CreateChannel(server_->grpc_address(), grpc::InsecureChannelCredentials());
    stub_ = v1::Inference::NewStub(channel_);
  }
  static v1::ChatRequest hi() {
    v1::ChatRequest request;
    auto* message = request.add_messages();
    message->set_role("user");
    message->set_content("Hi");
    return request;
  }
  struct Reply {
    std::vector<v1::GenerationEvent> events;
    Status status;
  };
  Reply chat(const v1::ChatRequest& request, ClientContext& context) {
    Reply reply;
    const auto reader = stub_->Chat(&context, request);
    v1::GenerationEvent event;
    while (reader->Read(&event)) reply.events.push_back(event);
    reply.status = reader->Finish();
    return reply;
  }
  Reply chat(const v1::ChatRequest& request) {
    ClientContext context;
    return chat(request, context);
  }
  testing::FakeInference& model() { return *pool_.model; }

  int null_ = ::open("/dev/null", O_WRONLY);
  util::Log log_{util::LogLevel::debug, util::LogFormat::json, null_};
  testing::FakePool pool_;
  manage::Services services_{pool_, log_};
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Inference::Stub> stub_;
};

TEST_F(GrpcServerTest, AChatIsAStreamFromCreatedToDone) {
  begin();
  model().set_script({{0, Started{5, 2}},
                      {0, TextDelta{"hm", true, {}, 1}},
                      {0, TextDelta{"Hello", false, {}, 1}},
                      {0, ToolCallDelta{0, "call_1", "weather", "{}"}},
                      {0, Finished{FinishReason::tool_calls, "", Usage{5, 2, 3, 1}, {}}}});
  v1::ChatRequest request = hi();
  request.set_id("mine");
  request.mutable_sampling()->set_temperature(0.25F);
  request.mutable_sampling()->set_max_tokens(9);
  request.mutable_sampling()->add_stop("x");
  request.set_extra_json(R"({"min_tokens":2,"stream":true})");
  const Reply reply = chat(request);
  EXPECT_TRUE(reply.status.ok()) << reply.status.error_message();
  ASSERT_EQ(reply.events.size(), 5);
  for (std::size_t i = 0; i < reply.events.size(); ++i) {
    EXPECT_EQ(reply.events[i].sequence(), i + 1);
    EXPECT_EQ(reply.events[i].id(), "mine");
  }
  EXPECT_EQ(reply.events[0].created().model(), "fake/model:1");
  EXPECT_EQ(reply.events[1].reasoning_delta().delta(), "hm");
  EXPECT_EQ(reply.events[2].message_delta().delta(), "Hello");
  EXPECT_EQ(reply.events[3].tool_call_delta().name(), "weather");
  EXPECT_EQ(reply.events[4].done().finish_reason(), "tool_calls");
  EXPECT_EQ(reply.events[4].done().usage().total_tokens(), 8);
  const GenerationRequest asked = model().wait_for_request();
  EXPECT_FLOAT_EQ(asked.sampling.temperature, 0.25F);
  EXPECT_EQ(asked.max_tokens, 9);
  EXPECT_EQ(asked.min_tokens, 2);
  EXPECT_EQ(asked.stop, std::vector<std::string>{"x"});
}

TEST_F(GrpcServerTest, ACompletionTakesTextOrTokens) {
  begin();
  model().set_script(testing::hello());
  v1::CompleteRequest request;
  request.set_prompt("Once");
  ClientContext first, second, third;
  v1::GenerationEvent event;
  EXPECT_TRUE(stub_->Complete(&first, request)->Read(&event));
  EXPECT_EQ(std::get<std::string>(model().wait_for_request(0).prompt), "Once");
  request.add_prompt_ids(5);
  EXPECT_FALSE(stub_->Complete(&second, request)->Read(&event)) << "both are given";
  request.clear_prompt();
  EXPECT_TRUE(stub_->Complete(&third, request)->Read(&event));
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(model().wait_for_request(1).prompt),
            std::vector<std::int32_t>{5});
}

TEST_F(GrpcServerTest, RefusalsAreStatusesBeforeTheFirstEvent) {
  begin();
  const auto code = [this](auto change) {
    v1::ChatRequest request = hi();
    change(request);
    const Reply reply = chat(request);
    EXPECT_TRUE(reply.events.empty());
    EXPECT_GT(reply.status.error_message().size(), 5);
    return reply.status.error_code();
  };
  EXPECT_EQ(code([](auto& r) { r.set_model("none"); }), StatusCode::NOT_FOUND);
  EXPECT_EQ(code([](auto& r) { r.clear_messages(); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](auto& r) { r.mutable_messages(0)->set_role("wizard"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](auto& r) { r.mutable_sampling()->set_temperature(-1); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](auto& r) { r.mutable_sampling()->set_top_p(std::numeric_limits<float>::quiet_NaN()); }),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](auto& r) { r.set_json_schema("{"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](auto& r) { r.set_extra_json("[]"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](auto& r) { r.set_extra_json(R"({"messages":[]})"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](auto& r) { r.set_id(std::string(257, 'x')); }), StatusCode::INVALID_ARGUMENT);
  model().set_script({{0, Failed{{Error::Code::exhausted,
                                  "the prompt has 99 tokens",
                                  "messages",
                                  "context_length_exceeded",
                                  {}}}}});
  EXPECT_EQ(code([](auto&) {}), StatusCode::INVALID_ARGUMENT);
  model().set_script({{0, Failed{{Error::Code::exhausted, "the queue is full", {}, "queue_full", {}}}}});
  EXPECT_EQ(code([](auto&) {}), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(GrpcServerTest, ABrokenMessageIsToldAsOneAndAnUnknownMethodToo) {
  begin();
  const auto send = [this](const char* method) {
    const std::string garbage = "\xFF\xFF\xFF\xFF";
    grpc::Slice slice(garbage);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    ClientContext context;
    const grpc::internal::RpcMethod name(method, grpc::internal::RpcMethod::NORMAL_RPC, channel_);
    return grpc::internal::BlockingUnaryCall(channel_.get(), name, &context, request, &response).error_code();
  };
  EXPECT_EQ(send("/pensieve.v1.Inference/Chat"), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(send("/pensieve.v1.Inference/Tokenize"), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(send("/pensieve.v1.Inference/Dance"), StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcServerTest, AFailureAfterTheStartIsAnEventAndAStatus) {
  begin();
  model().set_script({{0, Started{5, 0}}, {0, Failed{{Error::Code::internal, "broken", {}, {}, {}}}}});
  const Reply reply = chat(hi());
  ASSERT_EQ(reply.events.size(), 2);
  EXPECT_EQ(reply.events[1].error().message(), "broken");
  EXPECT_EQ(reply.status.error_code(), StatusCode::INTERNAL);
}

TEST_F(GrpcServerTest, CancellingAndDeadlinesStopTheWork) {
  begin();
  ClientContext cancelled;
  const auto reader = stub_->Chat(&cancelled, hi());
  model().wait_for_request(0);
  cancelled.TryCancel();
  model().wait_for_cancel(1);
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::CANCELLED);

  ClientContext late;
  late.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  EXPECT_EQ(chat(hi(), late).status.error_code(), StatusCode::DEADLINE_EXCEEDED);
  model().wait_for_cancel(2);

  auto infer = ::inference::GRPCInferenceService::NewStub(channel_);
  ::inference::ModelInferRequest request;
  auto* input = request.add_inputs();
  input->set_name("text_input");
  input->set_datatype("BYTES");
  input->mutable_contents()->add_bytes_contents("Hi");
  ::inference::ModelInferResponse response;
  ClientContext brief;
  brief.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  EXPECT_EQ(infer->ModelInfer(&brief, request, &response).error_code(), StatusCode::DEADLINE_EXCEEDED);
  model().wait_for_cancel(3);
}

TEST_F(GrpcServerTest, TheKeyIsNeededButForHealthAndReflection) {
  Options options;
  options.api_key = {"sk-1"};
  begin(options);
  const auto list = [this](const char* authorization) {
    ClientContext context;
    if (authorization) context.AddMetadata("authorization", authorization);
    v1::ListModelsResponse response;
    return stub_->ListModels(&context, {}, &response).error_code();
  };
  EXPECT_EQ(list(nullptr), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(list("Bearer sk-2"), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(list("Bearer sk-1"), StatusCode::OK);
  EXPECT_EQ(chat(hi()).status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(model().submitted(), 0);
  ClientContext live, probe;
  ::inference::ServerLiveResponse alive;
  EXPECT_EQ(::inference::GRPCInferenceService::NewStub(channel_)->ServerLive(&live, {}, &alive).error_code(),
            StatusCode::UNAUTHENTICATED);
  health::HealthCheckResponse healthy;
  EXPECT_TRUE(health::Health::NewStub(channel_)->Check(&probe, {}, &healthy).ok());
  EXPECT_EQ(healthy.status(), health::HealthCheckResponse::SERVING);
}

TEST_F(GrpcServerTest, SmallQuestionsAreAnswered) {
  begin();
  ClientContext tokens, vectors, wide, models;
  v1::TokenizeRequest text;
  text.set_text("ab");
  v1::TokenizeResponse ids;
  ASSERT_TRUE(stub_->Tokenize(&tokens, text, &ids).ok());
  EXPECT_THAT(ids.ids(), ::testing::ElementsAre(97, 98));
  v1::EmbedRequest embed;
  embed.add_input("a");
  embed.add_input("b");
  embed.set_dimensions(1);
  v1::EmbedResponse embedded;
  ASSERT_TRUE(stub_->Embed(&vectors, embed, &embedded).ok());
  ASSERT_EQ(embedded.data_size(), 2);
  EXPECT_THAT(embedded.data(0).values(), ::testing::ElementsAre(1.0F));
  EXPECT_EQ(embedded.usage().prompt_tokens(), 2);
  embed.set_dimensions(3);
  EXPECT_EQ(stub_->Embed(&wide, embed, &embedded).error_code(), StatusCode::INVALID_ARGUMENT);
  v1::ListModelsResponse listed;
  ASSERT_TRUE(stub_->ListModels(&models, {}, &listed).ok());
  EXPECT_EQ(listed.models(0).id(), "fake/model:1");
  EXPECT_EQ(listed.models(0).context_length(), 64);
  ClientContext unload, load;
  v1::UnloadModelRequest which;
  which.set_model("fake/model:1");
  v1::UnloadModelResponse unloaded;
  EXPECT_TRUE(stub_->UnloadModel(&unload, which, &unloaded).ok());
  EXPECT_THAT(pool_.unloaded(), ::testing::ElementsAre("fake/model:1"));
  v1::LoadModelRequest wanted;
  v1::LoadModelResponse loaded;
  EXPECT_TRUE(stub_->LoadModel(&load, wanted, &loaded).ok());
  EXPECT_EQ(loaded.model().id(), "fake/model:1");
}

TEST_F(GrpcServerTest, TheOpenInferenceProtocolAnswersInTheFormAsked) {
  begin();
  model().set_script(testing::hello());
  const auto stub = ::inference::GRPCInferenceService::NewStub(channel_);
  const auto infer = [&](const ::inference::ModelInferRequest& request,
                         ::inference::ModelInferResponse& response) {
    ClientContext context;
    return stub->ModelInfer(&context, request, &response);
  };
  ::inference::ModelInferRequest typed, raw;
  for (auto* request : {&typed, &raw}) {
    request->set_id("r-1");
    for (const char* name : {"text_input", "sampling_parameters"}) {
      auto* input = request->add_inputs();
      input->set_name(name);
      input->set_datatype("BYTES");
      input->add_shape(1);
    }
  }
  typed.mutable_inputs(0)->mutable_contents()->add_bytes_contents("Once");
  typed.mutable_inputs(1)->mutable_contents()->add_bytes_contents(R"({"max_tokens":3})");
  ::inference::ModelInferResponse response;
  Status status = infer(typed, response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.id(), "r-1");
  EXPECT_EQ(response.outputs(0).contents().bytes_contents(0), "Hello wörld");
  EXPECT_EQ(model().wait_for_request(0).max_tokens, 3);

  raw.add_raw_input_contents(std::string("\4\0\0\0Once", 8));
  raw.add_raw_input_contents(std::string("\2\0\0\0{}", 6));
  ASSERT_TRUE(infer(raw, response).ok());
  EXPECT_EQ(response.raw_output_contents(0), std::string("\x0C\0\0\0", 4) + "Hello wörld");

  raw.set_raw_input_contents(0, std::string("\5\0\0\0Once", 8));
  EXPECT_EQ(infer(raw, response).error_code(), StatusCode::INVALID_ARGUMENT) << "length beyond the bytes";
  typed.mutable_inputs(1)->set_name("no_such_input");
  status = infer(typed, response);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("no_such_input"));

  ClientContext context;
  ::inference::ModelMetadataRequest which;
  which.set_name("fake/model:1");
  ::inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(stub->ModelMetadata(&context, which, &metadata).ok());
  EXPECT_EQ(metadata.inputs(0).name(), "text_input");
}

template <class Service, class Request, class Response>
std::vector<std::string> reflected_services(const std::shared_ptr<grpc::Channel>& channel) {
  const auto stub = Service::NewStub(channel);
  ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  Request request;
  request.set_list_services("");
  stream->Write(request);
  Response response;
  std::vector<std::string> names;
  if (stream->Read(&response)) {
    for (const auto& service : response.list_services_response().service()) names.push_back(service.name());
  }
  request.set_file_containing_symbol("pensieve.v1.GenerationEvent");
  stream->Write(request);
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_THAT(response.file_descriptor_response().file_descriptor_proto(0), HasSubstr("queue_position"));
  request.set_file_containing_symbol("no.such.Symbol");
  stream->Write(request);
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error_response().error_code(), StatusCode::NOT_FOUND);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  return names;
}

TEST_F(GrpcServerTest, ReflectionNamesEveryServiceInBothVersions) {
  begin();
  namespace r1 = ::grpc::reflection::v1;
  namespace ra = ::grpc::reflection::v1alpha;
  const auto names =
      reflected_services<r1::ServerReflection, r1::ServerReflectionRequest, r1::ServerReflectionResponse>(
          channel_);
  EXPECT_THAT(names, ::testing::IsSupersetOf({"pensieve.v1.Inference", "inference.GRPCInferenceService",
                                              "grpc.health.v1.Health"}));
  EXPECT_EQ(
      (reflected_services<ra::ServerReflection, ra::ServerReflectionRequest, ra::ServerReflectionResponse>(
          channel_)),
      names);
}

TEST_F(GrpcServerTest, DrainingIsToldByHealthAndWaitsForCalls) {
  begin();
  ClientContext watching, calling, late, unknown;
  const auto watch = health::Health::NewStub(channel_)->Watch(&watching, {});
  health::HealthCheckResponse state;
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), health::HealthCheckResponse::SERVING);
  health::HealthCheckRequest nobody;
  nobody.set_service("no.such.Service");
  EXPECT_EQ(health::Health::NewStub(channel_)->Check(&unknown, nobody, &state).error_code(),
            StatusCode::NOT_FOUND);
  const auto reader = stub_->Chat(&calling, hi());
  model().wait_for_request(0);
  model().emit(1, {0, Started{5, 0}});
  v1::GenerationEvent event;
  ASSERT_TRUE(reader->Read(&event));
  std::thread stopper([this] { server_->stop(std::chrono::seconds(60)); });
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), health::HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(chat(hi(), late).status.error_code(), StatusCode::UNAVAILABLE);
  model().emit(1, {0, Finished{}});
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_TRUE(event.has_done());
  EXPECT_TRUE(reader->Finish().ok());
  stopper.join();
}

TEST_F(GrpcServerTest, StoppingNowEndsCalls) {
  begin();
  ClientContext context;
  const auto reader = stub_->Chat(&context, hi());
  model().wait_for_request(0);
  server_->stop(std::chrono::seconds(0));
  model().wait_for_cancel(1);
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(GrpcServerTest, StoppingDoesNotWaitForAModelThatHangs) {
  begin();
  model().go_deaf();
  ClientContext context;
  const auto reader = stub_->Chat(&context, hi());
  model().wait_for_request(0);
  server_->stop(std::chrono::seconds(0));
  EXPECT_FALSE(reader->Finish().ok());
  model().wait_for_cancel(1);
  model().emit(1, {0, Finished{FinishReason::cancelled, "", {}, {}}});
}

TEST_F(GrpcServerTest, AModelMayAnswerACallAfterTheServerHasGone) {
  begin();
  model().go_deaf();
  v1::EmbedRequest request;
  request.add_input("text");
  v1::EmbedResponse response;
  std::thread client([&] {
    ClientContext context;
    EXPECT_FALSE(stub_->Embed(&context, request, &response).ok());
  });
  auto answer = model().take_unanswered();
  server_.reset();
  client.join();
  answer(Embeddings{{{1.0F, 0.0F}}, 1});
}

TEST_F(GrpcServerTest, EmbeddingsHaveAsManyInputsAsOverHttp) {
  begin();
  v1::EmbedRequest request;
  v1::EmbedResponse response;
  for (int i = 0; i < 2049; ++i) request.add_input("x");
  ClientContext context;
  const Status status = stub_->Embed(&context, request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("2049"));
}

TEST_F(GrpcServerTest, TheKeyIsLookedAtBeforeTheMessage) {
  Options options;
  options.api_key = {"sk-1"};
  begin(options);
  const grpc::Slice nonsense("\xFF\xFF\xFF");
  grpc::ByteBuffer bytes(&nonsense, 1), answer;
  for (const char* path : {"/pensieve.v1.Inference/Tokenize", "/inference.GRPCInferenceService/ModelInfer"}) {
    const grpc::internal::RpcMethod method(path, grpc::internal::RpcMethod::NORMAL_RPC, channel_);
    ClientContext stranger, known;
    known.AddMetadata("authorization", "Bearer sk-1");
    EXPECT_EQ(
        grpc::internal::BlockingUnaryCall(channel_.get(), method, &stranger, bytes, &answer).error_code(),
        StatusCode::UNAUTHENTICATED)
        << path;
    EXPECT_EQ(grpc::internal::BlockingUnaryCall(channel_.get(), method, &known, bytes, &answer).error_code(),
              StatusCode::INVALID_ARGUMENT)
        << path;
  }
}

TEST_F(GrpcServerTest, ATurnOfASessionGoesOnWithIt) {
  Options options;
  options.session_file = ":memory:";
  begin(options);
  model().set_script(testing::hello());
  const auto made =
      testing::SocketClient(server_->url()).ask(testing::post("/v1/sessions", R"({"model":"fake/model:1"})"));
  ASSERT_EQ(made.status, 201) << made.body;
  v1::ChatRequest request = hi();
  request.set_session((*util::parse_json(made.body))["id"].get<std::string>());
  EXPECT_TRUE(chat(request).status.ok());
  EXPECT_TRUE(chat(request).status.ok()) << "the session is free when the end is told";
  const GenerationRequest second = model().wait_for_request(1);
  const auto& messages = std::get<ChatRequest>(second.prompt).messages;
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_EQ(messages[1].role, "assistant");
  EXPECT_EQ(messages[1].content, "Hello wörld");
  request.set_session("sess_none");
  EXPECT_EQ(chat(request).status.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GrpcServerTest, APortInUseIsRefused) {
  begin();
  Options options;
  options.port = 0;
  const std::string address = server_->grpc_address();
  auto second = Server::start(options, services_);
  ASSERT_TRUE(second);
  const auto grpc = (*second)->open_grpc(std::stol(address.substr(address.rfind(':') + 1)));
  ASSERT_FALSE(grpc);
  EXPECT_THAT(grpc.error().what, HasSubstr("--grpc-port"));
}

}  // namespace
}  // namespace pensieve::server
