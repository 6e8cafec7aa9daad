// Cutting into lines, and from JSON lines back to events.
#include "manage/worker/worker_log.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "util/json.h"

namespace pensieve::manage {
namespace {

using util::Json;
using util::LogField;
using util::LogLevel;

constexpr std::size_t kLongestLine = 8192;
constexpr int kLinesInASecond = 200;
constexpr std::size_t kMostFields = 15;  // of the worker's; one is added
constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warn", "error"};

// Names of events and fields are written as they are, so a worker may not invent any.
bool is_word(std::string_view name) {
  constexpr std::size_t kLongest = 40;
  return !name.empty() && name.size() <= kLongest && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool text_at(const Json& object, const char* key, std::string_view& text) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return false;
  text = found->get_ref<const std::string&>();
  return true;
}

void add_field(const std::string& key, const Json& value, std::vector<LogField>& fields) {
  if (key == "time" || key == "level" || key == "event" || key == "worker" || !is_word(key)) return;
  if (value.is_string()) {
    fields.push_back({key, std::string_view(value.get_ref<const std::string&>())});
  } else if (value.is_boolean()) {
    fields.push_back({key, value.get<bool>()});
  } else if (value.is_number_integer()) {
    fields.push_back({key, value.get<std::int64_t>()});
  } else if (value.is_number_float()) {
    fields.push_back({key, value.get<double>()});
  }
}

// util::Log takes its fields as a list whose length is known to the compiler: one function for each length.
using Write = void (*)(util::Log&, LogLevel, std::string_view, const std::vector<LogField>&);
template <std::size_t... Is>
Write write_exactly(std::index_sequence<Is...>) {
  return [](util::Log& log, LogLevel level, std::string_view name, const std::vector<LogField>& fields) {
    log.write(level, name, {fields[Is]...});
  };
}
template <std::size_t... Lengths>
std::array<Write, sizeof...(Lengths)> write_fields(std::index_sequence<Lengths...>) {
  return {write_exactly(std::make_index_sequence<Lengths>{})...};
}

}  // namespace

WorkerLog::~WorkerLog() {
  if (!partial_.empty()) line(partial_);
  if (dropped_ > 0)
    log_.write(LogLevel::warn, "worker_output_dropped", {{"lines", dropped_}, {"worker", pid_}});
}

void WorkerLog::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const bool whole = end != std::string_view::npos;
    const std::string_view piece = bytes.substr(0, end);
    partial_.append(piece.substr(0, kLongestLine - std::min(kLongestLine, partial_.size())));
    bytes.remove_prefix(whole ? end + 1 : bytes.size());
    if (!whole) break;
    line(partial_);
    partial_.clear();
  }
}

bool WorkerLog::admitted() {
  const auto now = std::chrono::steady_clock::now();
  if (now - since_ > std::chrono::seconds(1)) {
    since_ = now;
    lines_ = 0;
    if (const std::int64_t lines = std::exchange(dropped_, 0); lines > 0)
      log_.write(LogLevel::warn, "worker_output_dropped", {{"lines", lines}, {"worker", pid_}});
  }
  if (++lines_ <= kLinesInASecond) return true;
  ++dropped_;
  return false;
}

void WorkerLog::line(std::string_view text) {
  if (text.empty() || !admitted() || event(text)) return;
  log_.write(LogLevel::warn, "worker_output",
             {{"model", std::string_view(model_)}, {"text", text}, {"worker", pid_}});
}

bool WorkerLog::event(std::string_view text) {
  const util::Result<Json> parsed = util::parse_json(text, {2, 2 * kMostFields});
  std::string_view name, level;
  if (!parsed || !parsed->is_object() || !text_at(*parsed, "event", name) ||
      !text_at(*parsed, "level", level) || !is_word(name)) {
    return false;
  }
  const auto known = std::find(kLevels.begin(), kLevels.end(), level);
  if (known == kLevels.end()) return false;
  std::vector<LogField> fields;
  for (auto at = parsed->begin(); at != parsed->end() && fields.size() < kMostFields; ++at)
    add_field(at.key(), at.value(), fields);
  fields.push_back({"worker", pid_});
  const auto write = write_fields(std::make_index_sequence<kMostFields + 2>{})[fields.size()];
  write(log_, static_cast<LogLevel>(known - kLevels.begin()), name, fields);
  return true;
}

}  // namespace pensieve::manage
