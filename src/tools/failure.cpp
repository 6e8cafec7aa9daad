// Exit codes for errors.
#include "tools/failure.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace pensieve::tools {

ExitCode exit_code(const Error& error, During during) {
  if (error.code == Error::Code::cancelled) return kInterrupted;
  if (error.reason == "server_unreachable") return kUnreachable;
  if (error.code == Error::Code::internal) return kFailed;
  if (during == During::usage) return kUsage;
  if (during == During::model) return kRefused;
  return kFailed;
}

ExitCode report(const Error& error, During during) {
  fmt::print(stderr, "pensieve: {}\n", error.what);
  return exit_code(error, during);
}

ExitCode report_usage(std::string_view what) {
  fmt::print(stderr, "pensieve: {}\n", what);
  return kUsage;
}

int printed(int code) {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (code != kDone || (flushed && std::ferror(stdout) == 0)) return code;
  fmt::print(stderr, "pensieve: cannot write to standard output{}{}\n", errno != 0 ? ": " : "",
             errno != 0 ? std::strerror(errno) : "");
  return kFailed;
}

}  // namespace pensieve::tools
