// The constructors of Failure. No decisions are made here.
#include "model/chat/jinja/failure.h"

#include <fmt/format.h>

namespace pensieve::model::jinja {

void fail_runtime(std::string what) {
  throw Failure{Error{Error::Code::invalid, std::move(what), {}, std::string(kReasonRuntime), {}}};
}

void fail_budget(std::string what) {
  throw Failure{Error{Error::Code::exhausted, std::move(what), {}, std::string(kReasonBudget), {}}};
}

void fail_syntax(std::uint32_t line, std::string_view what) {
  throw Failure{Error{Error::Code::invalid,
                      fmt::format("template line {}: {}", line, what),
                      {},
                      std::string(kReasonSyntax),
                      {{"line", line}}},
                true};
}

void fail_raised(std::string message) {
  throw Failure{Error{Error::Code::invalid, std::move(message), {}, std::string(kReasonRaised), {}}, true};
}

std::string excerpt(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  if (text.size() <= kLongest) return std::string(text);
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace pensieve::model::jinja
