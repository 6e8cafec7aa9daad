// Table and fragments joined.
#include "server/openapi.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

namespace pensieve::server {
namespace {

using util::Json;

// "/v1/models/{id...}" to "/v1/models/{id}", with the names found on the way.
std::string template_of(std::string_view pattern, std::vector<std::string>& parameters) {
  std::string path;
  while (!pattern.empty()) {
    const std::size_t open = std::min(pattern.find('{'), pattern.size());
    path += pattern.substr(0, open);
    pattern.remove_prefix(open);
    if (pattern.empty()) break;
    const std::size_t close = std::min(pattern.find('}'), pattern.size() - 1);
    std::string_view name = pattern.substr(1, close - 1);
    if (name.ends_with("...")) name.remove_suffix(3);
    parameters.emplace_back(name);
    path.append("{").append(name).append("}");
    pattern.remove_prefix(close + 1);
  }
  return path;
}

Json error_schema() {
  const Json text_or_null{{"type", Json::array({"string", "null"})}};
  return Json{
      {"type", "object"},
      {"required", Json::array({"error"})},
      {"properties",
       {{"error",
         {{"type", "object"},
          {"required", Json::array({"message", "type", "param", "code"})},
          {"properties",
           {{"message", {{"type", "string"}, {"description", "What is wrong, where, and what to do."}}},
            {"type", {{"type", "string"}}},
            {"param", text_or_null},
            {"code", text_or_null}}}}}}}};
}

Json frame() {
  Json document{{"openapi", "3.1.0"},
                {"info",
                 {{"title", "Pensieve"},
                  {"version", PENSIEVE_VERSION},
                  {"description",
                   "A local server for large language models, with the APIs that clients already speak."}}},
                {"servers", Json::array({Json{{"url", "/"}}})},
                {"security", Json::array({Json{{"bearer", Json::array()}}, Json{{"key", Json::array()}}})},
                {"paths", Json::object()}};
  Json& components = document["components"];
  components["schemas"]["Error"] = error_schema();
  components["responses"]["Error"] =
      Json{{"description", "The request was refused, or failed."},
           {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
  components["securitySchemes"] = Json{
      {"bearer", {{"type", "http"}, {"scheme", "bearer"}, {"description", "Where the server has a key."}}},
      {"key", {{"type", "apiKey"}, {"in", "header"}, {"name", "x-api-key"}}}};
  return document;
}

// The operation of one path: what the fragment says, completed by what the table knows.
Json operation_at(const Endpoint& endpoint, std::string_view name, std::size_t index, const Json& fragment,
                  const std::vector<std::string>& parameters) {
  Json operation = fragment.value("operation", Json::object());
  operation["operationId"] =
      index == 0 ? std::string(name) : std::string(name).append("_").append(std::to_string(index + 1));
  if (!operation.contains("summary")) operation["summary"] = std::string(name);
  const Json texts = fragment.value("parameters", Json::object());
  Json& listed = operation["parameters"];
  if (listed.is_null()) listed = Json::array();
  for (const std::string& parameter : parameters) {
    listed.push_back(Json{{"name", parameter},
                          {"in", "path"},
                          {"required", true},
                          {"description", texts.value(parameter, parameter)},
                          {"schema", {{"type", "string"}}}});
  }
  if (listed.empty()) operation.erase("parameters");
  Json& responses = operation["responses"];
  if (responses.is_null()) responses["200"] = Json{{"description", "The answer."}};
  if (!responses.contains("default")) responses["default"] = Json{{"$ref", "#/components/responses/Error"}};
  if (endpoint.access == Access::everybody) operation["security"] = Json::array();
  return operation;
}

std::string lower(std::string_view word) {
  std::string out(word);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

tl::unexpected<Error> broken(std::string_view name, const std::string& why) {
  return fail(Error::Code::internal, "the document of endpoint '" + std::string(name) + "': " + why);
}

Result<> add_schemas(Json& document, std::string_view name, const Json& fragment) {
  Json& schemas = document["components"]["schemas"];
  const Json own = fragment.value("schemas", Json::object());
  for (const auto& [title, schema] : own.items()) {
    if (schemas.contains(title)) return broken(name, "another one has a schema called '" + title + "' too");
    schemas[title] = schema;
  }
  return {};
}

}  // namespace

Result<Json> make_openapi(std::span<const Endpoint* const> table,
                          std::span<const EndpointDocument> documents) {
  Json document = frame();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Endpoint& endpoint = *table[i];
    const EndpointDocument described = i < documents.size() ? documents[i] : EndpointDocument{};
    Json fragment = Json::object();
    if (!described.json.empty()) {
      Result<Json> parsed = util::parse_json(described.json);
      if (!parsed) return broken(described.name, parsed.error().what);
      fragment = std::move(*parsed);
    }
    if (Result<> added = add_schemas(document, described.name, fragment); !added)
      return tl::unexpected(added.error());
    for (std::size_t at = 0; at < endpoint.paths.size(); ++at) {
      std::vector<std::string> parameters;
      const std::string path = template_of(endpoint.paths[at], parameters);
      document["paths"][path][lower(endpoint.method)] =
          operation_at(endpoint, described.name, at, fragment, parameters);
    }
  }
  return document;
}

}  // namespace pensieve::server
