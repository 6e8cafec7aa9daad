// Names and what they mean.
#include "manage/model_register.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "manage/nearest.h"
#include "model/model_name.h"
#include "util/unicode.h"

namespace pensieve::manage {

void ModelEntry::enter(ModelState next) {
  if (state == next) return;
  state = next;
  since = std::time(nullptr);
}

ModelRegister::ModelRegister(std::vector<ModelInfo> served) {
  for (ModelInfo& info : served) {
    served_.push_back(info.name);
    ModelEntry& entry = entries_[info.name];
    entry.info = std::move(info);
    entry.served = true;
  }
}

ModelEntry* ModelRegister::lookup(std::string_view name) {
  return const_cast<ModelEntry*>(std::as_const(*this).lookup(name));
}

const ModelEntry* ModelRegister::lookup(std::string_view name) const {
  if (const auto found = entries_.find(name); found != entries_.end()) return &found->second;
  const std::string wanted = model::lower_case(name.substr(0, model::kLongestName + 1));
  const auto same = [&](const std::string& other) { return model::lower_case(other) == wanted; };
  for (const auto& [key, entry] : entries_) {
    if (same(key) || std::any_of(entry.aliases.begin(), entry.aliases.end(), same)) return &entry;
  }
  return nullptr;
}

Result<ModelEntry*> ModelRegister::default_entry() {
  if (served_.size() == 1) return lookup(served_.front());
  if (served_.empty() && entries_.size() == 1) return &entries_.begin()->second;
  std::string names;
  for (const auto& named : entries_) names += (names.empty() ? "" : ", ") + named.first;
  return fail(Error::Code::invalid,
              fmt::format("'model' is missing and this server has {} models; name one of: {}",
                          entries_.size(), names),
              "model");
}

Error ModelRegister::unknown(std::string_view name) const {
  constexpr std::size_t kShownBytes = 100, kShownNames = 3;
  std::vector<std::string> names;
  for (const auto& named : entries_) names.push_back(named.first);
  std::vector<std::string> close = nearest(name, names, kShownNames);
  const char* what = "nearest";
  if (close.empty()) {
    what = "known";
    close.assign(names.begin(),
                 names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShownNames)));
  }
  const std::string hint =
      names.empty() ? "no model is installed"
                    : fmt::format("{}: {}; GET /v1/models lists all", what, fmt::join(close, ", "));
  return Error{
      Error::Code::not_found,
      fmt::format("there is no model '{}'; {}", util::repair_utf8(name.substr(0, kShownBytes)), hint),
      "model",
      "model_not_found",
      {}};
}

void ModelRegister::merge(const model::CatalogEntry& found) {
  const auto same_file = [&](const auto& named) { return named.second.info.path == found.info.path; };
  if (const auto known = std::find_if(entries_.begin(), entries_.end(), same_file); known != entries_.end()) {
    ModelEntry& entry = known->second;
    entry.aliases = found.aliases;
    if (found.name != known->first) entry.aliases.push_back(found.name);
    if (entry.state != ModelState::unloaded && entry.state != ModelState::failed) return;
    const std::string name = entry.info.name;
    entry.info = found.info;
    entry.info.name = name;
    if (entry.state == ModelState::unloaded || !found.problem.empty()) entry.problem = found.problem;
    return;
  }
  if (entries_.contains(found.name)) return;  // a model named at start keeps its name
  ModelEntry& entry = entries_[found.name];
  entry.info = found.info;
  entry.info.name = found.name;
  entry.aliases = found.aliases;
  entry.problem = found.problem;
}

void ModelRegister::replace(const std::vector<model::CatalogEntry>& found) {
  const auto gone = [&](const ModelEntry& entry) {
    if (entry.served || entry.state == ModelState::loading || entry.holds_memory()) return false;
    return std::none_of(found.begin(), found.end(),
                        [&](const model::CatalogEntry& e) { return e.info.path == entry.info.path; });
  };
  for (auto at = entries_.begin(); at != entries_.end();)
    at = gone(at->second) ? entries_.erase(at) : std::next(at);
  for (const model::CatalogEntry& entry : found) merge(entry);
}

}  // namespace pensieve::manage
