// Families, samples, escapes.
#include "server/exposition.h"

#include <fmt/format.h>

#include <iterator>

namespace pensieve::server {
namespace {

// Values may hold anything a file's name can.
void append_value(std::string_view value, std::string& out) {
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

void append_label(std::string_view name, std::string_view value, bool& first, std::string& out) {
  out += first ? '{' : ',';
  first = false;
  out += name;
  out += "=\"";
  append_value(value, out);
  out += '"';
}

}  // namespace

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void Exposition::line(std::string_view suffix, Labels labels, std::string_view bound, double value) {
  text_ += name_;
  text_ += suffix;
  bool first = true;
  for (const auto& [name, content] : labels) append_label(name, content, first, text_);
  if (!bound.empty()) append_label("le", bound, first, text_);
  if (!first) text_ += '}';
  fmt::format_to(std::back_inserter(text_), " {}\n", value);
}

void Exposition::sample(Labels labels, double value) {
  line("", labels, "", value);
}

void Exposition::histogram(Labels labels, const manage::HistogramReading& reading) {
  double below = 0;
  for (std::size_t i = 0; i < reading.counts.size(); ++i) {
    below += static_cast<double>(reading.counts[i]);
    line("_bucket", labels, i < reading.bounds.size() ? fmt::format("{}", reading.bounds[i]) : "+Inf", below);
  }
  line("_sum", labels, "", reading.sum);
  line("_count", labels, "", below);
}

}  // namespace pensieve::server
