// guarded: an exception of foreign-facing work becomes an error, so that whoever asked is always answered.
// Not a place for expected failures: those are results already.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <new>
#include <string_view>

#include "core/result.h"

namespace pensieve::manage {

// `work` returns a Result; `what` names it in the message: "reading the model directories".
template <class Work>
auto guarded(std::string_view what, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return fail(Error::Code::exhausted, fmt::format("{} failed: not enough memory", what), {},
                "out_of_memory");
  } catch (const std::exception& problem) {
    return fail(Error::Code::internal, fmt::format("{} failed: {}", what, problem.what()));
  }
}

}  // namespace pensieve::manage
