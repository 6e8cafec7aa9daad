// How foreign bytes are shown and how findings become a report.
#include "model/formats/findings.h"

#include <fmt/format.h>

#include "util/unicode.h"

namespace pensieve::model {
namespace {

constexpr std::size_t kLongest = 80;  // bytes of foreign text in one message

void close_list(std::vector<std::string>& list, std::size_t count, const char* what) {
  if (count > list.size()) list.push_back(fmt::format("and {} more {}", count - list.size(), what));
}

}  // namespace

std::string printable(std::string_view foreign) {
  std::string out = "'";
  std::size_t at = 0;
  while (at < foreign.size() && at < kLongest) {
    const util::CodePoint point = util::decode_utf8(foreign, at);
    const bool control = point.value < 0x20 || (point.value >= 0x7F && point.value < 0xA0);
    if (!point.valid || control) {
      for (std::size_t i = 0; i < point.size; ++i) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(foreign[at + i]));
      }
    } else {
      out += foreign.substr(at, point.size);
    }
    at += point.size;
  }
  out += at < foreign.size() ? fmt::format("…' ({} bytes)", foreign.size()) : "'";
  return out;
}

void Findings::write(FileReport& report) && {
  close_list(problems_, problem_count_, "problems");
  close_list(warnings_, warning_count_, "warnings");
  report.problems = std::move(problems_);
  report.warnings = std::move(warnings_);
}

}  // namespace pensieve::model
