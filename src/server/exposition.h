// Exposition: writes Prometheus' text format, version 0.0.4. Written by hand: a metrics library would bring a
// registry of its own, into which counters that live elsewhere had to be copied, for these few lines.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "manage/model_counters.h"

namespace pensieve::server {

class Exposition {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // Begins a family; its samples follow at once. `type`: counter, gauge, histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);
  // Of the family begun last.
  void sample(Labels labels, double value);
  void histogram(Labels labels, const manage::HistogramReading& reading);

  std::string take() { return std::move(text_); }

 private:
  void line(std::string_view suffix, Labels labels, std::string_view bound, double value);
  std::string name_, text_;
};

}  // namespace pensieve::server
