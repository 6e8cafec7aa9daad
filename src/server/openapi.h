// The API's document (OpenAPI 3.1), put together from the table of endpoints, which says what paths, methods
// and rights there are, and from what each endpoint's file NAME.json says of bodies and answers. So no route
// can be missing from it, and none can be in it that is not there.
#pragma once

#include <span>
#include <string_view>

#include "core/result.h"
#include "server/endpoint.h"
#include "util/json.h"

namespace pensieve::server {

// {"operation": OpenAPI operation, "schemas": {name: JSON Schema}, "parameters": {path parameter: text}};
// all of it optional. References go to "#/components/schemas/NAME", of whichever endpoint.
struct EndpointDocument {
  std::string_view name;  // of the endpoint's file
  std::string_view json;  // empty: it has none
};

// In the order of endpoints().
std::span<const EndpointDocument> endpoint_documents();

// Errors: a fragment that is no JSON, or a schema's name that two of them use.
Result<util::Json> make_openapi(std::span<const Endpoint* const> table,
                                std::span<const EndpointDocument> documents);

}  // namespace pensieve::server
