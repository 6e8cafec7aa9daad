// The document against the table that the server routes by, and against itself: nothing missing, nothing
// invented, no reference into the void.
#include "server/openapi.h"

#include <gmock/gmock.h>

#include <set>
#include <string>

namespace pensieve::server {
namespace {

using util::Json;

Json document() {
  const Result<Json> made = make_openapi(endpoints(), endpoint_documents());
  EXPECT_TRUE(made) << made.error().what;
  return made.value_or(Json::object());
}

void collect_references(const Json& value, std::set<std::string>& out) {
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) {
      if (key == "$ref" && inner.is_string()) out.insert(inner.get<std::string>());
      collect_references(inner, out);
    }
  } else if (value.is_array()) {
    for (const Json& inner : value) collect_references(inner, out);
  }
}

std::string lower(std::string word) {
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

TEST(OpenApiTest, HasEveryRouteAndNoOther) {
  std::set<std::string> routed, written;
  for (const Endpoint* endpoint : endpoints()) {
    for (const std::string_view pattern : endpoint->paths) {
      std::string path(pattern);
      if (const std::size_t rest = path.find("...}"); rest != std::string::npos) path.erase(rest, 3);
      routed.insert(lower(std::string(endpoint->method)) + " " + path);
    }
  }
  const Json whole = document();
  for (const auto& [path, item] : whole["paths"].items()) {
    for (const auto& [method, operation] : item.items()) written.insert(method + " " + path);
  }
  EXPECT_EQ(routed, written);
}

TEST(OpenApiTest, EveryReferenceResolves) {
  const Json whole = document();
  std::set<std::string> references;
  collect_references(whole, references);
  EXPECT_FALSE(references.empty());
  for (const std::string& reference : references) {
    ASSERT_TRUE(reference.starts_with("#/")) << reference;
    EXPECT_TRUE(whole.contains(Json::json_pointer(reference.substr(1)))) << reference;
  }
}

TEST(OpenApiTest, OperationsAreNamedOnceAndAnswer) {
  std::set<std::string> names;
  const Json whole = document();
  for (const auto& [path, item] : whole["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      EXPECT_TRUE(names.insert(operation["operationId"].get<std::string>()).second) << path;
      EXPECT_FALSE(operation["responses"].empty()) << path;
      EXPECT_FALSE(operation["summary"].get<std::string>().empty()) << path;
      const bool templated = path.find('{') != std::string::npos;
      if (templated) {
        EXPECT_EQ(operation["parameters"].back()["in"], "path") << path;
      }
    }
  }
}

TEST(OpenApiTest, EveryEndpointIsDescribedBesideItsFile) {
  for (const EndpointDocument& described : endpoint_documents())
    EXPECT_FALSE(described.json.empty()) << "write src/server/endpoints/" << described.name << ".json";
}

TEST(OpenApiTest, OpenPathsAreMarked) {
  const Json whole = document();
  EXPECT_EQ(whole["paths"]["/livez"]["get"]["security"], Json::array());
  EXPECT_FALSE(whole["paths"]["/v1/models"]["get"].contains("security"));
}

TEST(OpenApiTest, BrokenFragmentsAreToldByName) {
  constexpr EndpointDocument kBroken[] = {{"first", "{"}};
  const Result<Json> made = make_openapi(endpoints().first(1), kBroken);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().what, ::testing::HasSubstr("first"));
}

}  // namespace
}  // namespace pensieve::server
