// How this program was built, for reports that must tell builds apart.
#pragma once

#include <string>

namespace pensieve::tools {

std::string build_version();   // "0.1.0"
std::string build_compiler();  // "g++ 12.2.0"
std::string build_type();      // "release" or "debug", with sanitizers named

}  // namespace pensieve::tools
