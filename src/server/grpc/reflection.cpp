// Server reflection, v1 and v1alpha, over the descriptors that the generated code carries. Both versions have
// the same messages, so one template serves them.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/grpcpp.h>

#include <set>

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "server/grpc/site.h"

namespace pensieve::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

// A file and all that it imports, each once.
void collect(const FileDescriptor* file, std::set<const FileDescriptor*>& seen, auto& out) {
  if (!seen.insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  out.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) collect(file->dependency(i), seen, out);
}

template <class Request, class Response>
class Reflection final : public grpc::ServerBidiReactor<Request, Response> {
 public:
  explicit Reflection(const std::vector<std::string>& names) : names_(names) { this->StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::OK);
    response_.Clear();
    response_.set_valid_host(request_.host());
    *response_.mutable_original_request() = request_;
    answer();
    this->StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::CANCELLED);
    this->StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  void answer() {
    const DescriptorPool& pool = *DescriptorPool::generated_pool();
    switch (request_.message_request_case()) {
      case Request::kListServices:
        for (const std::string& name : names_)
          response_.mutable_list_services_response()->add_service()->set_name(name);
        return;
      case Request::kFileByFilename:
        return give(pool.FindFileByName(request_.file_by_filename()));
      case Request::kFileContainingSymbol:
        return give(pool.FindFileContainingSymbol(request_.file_containing_symbol()));
      case Request::kFileContainingExtension: {
        const auto& wanted = request_.file_containing_extension();
        const Descriptor* type = pool.FindMessageTypeByName(wanted.containing_type());
        const FieldDescriptor* field =
            type ? pool.FindExtensionByNumber(type, wanted.extension_number()) : nullptr;
        return give(field ? field->file() : nullptr);
      }
      case Request::kAllExtensionNumbersOfType:
        return give_extensions(pool, request_.all_extension_numbers_of_type());
      default:
        return refuse(grpc::StatusCode::INVALID_ARGUMENT, "the request asks for nothing");
    }
  }
  void give(const FileDescriptor* file) {
    if (file == nullptr) return refuse(grpc::StatusCode::NOT_FOUND, "no such file, symbol or extension");
    std::set<const FileDescriptor*> seen;
    collect(file, seen, *response_.mutable_file_descriptor_response());
  }
  void give_extensions(const DescriptorPool& pool, const std::string& name) {
    const Descriptor* type = pool.FindMessageTypeByName(name);
    if (type == nullptr) return refuse(grpc::StatusCode::NOT_FOUND, "no such message type");
    std::vector<const FieldDescriptor*> extensions;
    pool.FindAllExtensions(type, &extensions);
    auto& out = *response_.mutable_all_extension_numbers_response();
    out.set_base_type_name(name);
    for (const FieldDescriptor* field : extensions) out.add_extension_number(field->number());
  }
  void refuse(grpc::StatusCode code, const char* message) {
    response_.mutable_error_response()->set_error_code(code);
    response_.mutable_error_response()->set_error_message(message);
  }

  const std::vector<std::string>& names_;
  Request request_;
  Response response_;
};

template <class Base, class Request, class Response>
class ReflectionService final : public Base {
 public:
  explicit ReflectionService(std::vector<std::string> names) : names_(std::move(names)) {}
  grpc::ServerBidiReactor<Request, Response>* ServerReflectionInfo(grpc::CallbackServerContext*) override {
    return new Reflection<Request, Response>(names_);  // its OnDone deletes it
  }

 private:
  const std::vector<std::string> names_;
};

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> make_reflection_services(const std::vector<std::string>& names) {
  namespace v1 = ::grpc::reflection::v1;
  namespace alpha = ::grpc::reflection::v1alpha;
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(
      std::make_unique<ReflectionService<v1::ServerReflection::CallbackService, v1::ServerReflectionRequest,
                                         v1::ServerReflectionResponse>>(names));
  services.push_back(
      std::make_unique<ReflectionService<alpha::ServerReflection::CallbackService,
                                         alpha::ServerReflectionRequest, alpha::ServerReflectionResponse>>(
          names));
  return services;
}

}  // namespace pensieve::server
