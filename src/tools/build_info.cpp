// Facts from the compiler's own macros.
#include "tools/build_info.h"

#include <fmt/format.h>

namespace pensieve::tools {

std::string build_version() {
  return PENSIEVE_VERSION;
}

std::string build_compiler() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  return fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

std::string build_type() {
  std::string type;
#ifdef NDEBUG
  type = "release";
#else
  type = "debug";
#endif
#ifdef __SANITIZE_ADDRESS__
  type += ", address sanitizer";
#endif
#ifdef __SANITIZE_THREAD__
  type += ", thread sanitizer";
#endif
  return type;
}

}  // namespace pensieve::tools
