// Result and Error: how every fallible function of Pensieve answers.
// Not for programming mistakes (PENSIEVE_ASSERT in util/assert.h); exceptions never cross a module.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace pensieve::util {

// What went wrong, for a person (`what`) and for a program (the rest).
// `what` names the thing, the value and the remedy; it never holds a path of the server unless the user gave
// it.
struct Error {
  enum class Code : std::uint8_t {
    invalid,      // the caller's input is wrong
    not_found,    // the named thing does not exist
    unsupported,  // well-formed, but this build or model cannot do it
    exhausted,    // a limit (memory, queue, context) is reached
    cancelled,    // the caller gave up
    unavailable,  // not now: loading, draining, worker gone
    io,           // the operating system refused
    internal,     // our mistake
  };
  Code code = Code::internal;
  std::string what;
  std::string field;   // the request field or configuration key at fault, empty when none
  std::string reason;  // stable machine-readable word such as "context_length_exceeded", empty when none
  std::vector<std::pair<std::string, std::int64_t>> numbers;  // facts for the client, e.g. {"n_ctx", 2048}
};

template <class T = void>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Error::Code code, std::string what, std::string field = {},
                                                std::string reason = {}) {
  return tl::unexpected(Error{code, std::move(what), std::move(field), std::move(reason), {}});
}

}  // namespace pensieve::util
