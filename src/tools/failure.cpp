// Exit codes for errors.
#include "tools/failure.h"

#include <fmt/format.h>

#include <cstdio>

namespace pensieve::tools {

ExitCode exit_code(const Error& error, During during) {
  if (error.code == Error::Code::cancelled) return kInterrupted;
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

}  // namespace pensieve::tools
