// Json: the JSON tree used at the edges (requests, templates, JSON lines), and the one strict parser for
// foreign bytes. Not for hot paths: replies are assembled from prebuilt parts (json_escape).
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "util/result.h"

namespace pensieve::util {

using Json = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t depth = 64;          // nested arrays and objects
  std::size_t values = 4'000'000;  // array elements and object members in all
};

// RFC 8259 and nothing more: refuses NaN, Infinity, numbers beyond double, invalid UTF-8, lone surrogates,
// duplicate keys, bytes after the end. Errors say line, column and what was found.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});

// Appends `text` as JSON string content, without the quotes; invalid UTF-8 becomes U+FFFD.
void json_escape(std::string_view text, std::string& out);
// Serialises on one line; invalid UTF-8 becomes U+FFFD, never throws.
std::string to_json(const Json& value);

}  // namespace pensieve::util
