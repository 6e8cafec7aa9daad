// The one error type of the program, under the name that core and everything above it use.
#pragma once

#include "util/result.h"

namespace pensieve {
using util::Error;
using util::fail;
using util::Result;
}  // namespace pensieve
