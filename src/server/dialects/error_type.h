// The names of OpenAI's error types. Apart from errors.h, which every endpoint includes: only transports with
// statuses of their own need them by themselves.
#pragma once

#include <string_view>

namespace pensieve::server {

std::string_view error_type(int http_status);  // "invalid_request_error" and the like

}  // namespace pensieve::server
