// Identifiers that nobody can guess or meet twice: of requests, answers, messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pensieve::server {

// `prefix` and `length` characters of 0-9a-zA-Z (5.95 bits each) from the system's random source.
std::string random_id(std::string_view prefix, std::size_t length = 24);

}  // namespace pensieve::server
