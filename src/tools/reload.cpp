// Two sets of settings side by side: those in force and those of the file as it is now.
#include "tools/reload.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pensieve::tools {
namespace {

using manage::Schema;
using manage::Setting;

// Copies what is live from one schema into another of the same tables.
void adopt_live(Schema& target, const Schema& source, ReloadOutcome& outcome) {
  for (const Setting& next : source.settings()) {
    Setting& setting = *target.find(next.section, next.key);
    if (setting.value() == next.value()) {
      if (next.live) Schema::adopt(setting, next);  // the same value may come from elsewhere now
    } else if (next.live) {
      Schema::adopt(setting, next);
      outcome.changed.push_back(setting.name());
    } else {
      outcome.waiting.push_back(setting.name());
    }
  }
}

void copy_all(Schema& target, const Schema& source) {
  for (const Setting& setting : source.settings())
    Schema::adopt(*target.find(setting.section, setting.key), setting);
}

}  // namespace

ReloadOutcome reload(Settings& running, const char* const* environment,
                     const std::function<Result<>(const Settings&)>& check) {
  ReloadOutcome outcome;
  Settings fresh;
  fresh.repeat_flags(running);
  outcome.problems = fresh.load(environment);
  if (!outcome.problems.empty()) return outcome;
  Settings next;
  copy_all(next.schema, running.schema);
  adopt_live(next.schema, fresh.schema, outcome);
  if (Result<> usable = check(next); !usable) {
    outcome = {};
    outcome.problems.push_back(std::move(usable.error()));
    return outcome;
  }
  for (const Setting& setting : next.schema.settings()) {
    // The others are left untouched: threads that load models read them.
    if (setting.live) Schema::adopt(*running.schema.find(setting.section, setting.key), setting);
  }
  return outcome;
}

void log_reload(const ReloadOutcome& outcome, std::string_view cause, util::Log& log) {
  for (const Error& problem : outcome.problems) {
    log.write(util::LogLevel::error, "config_reload_failed",
              {{"cause", cause},
               {"problem", std::string_view(problem.what)},
               {"message", std::string_view("the configuration in force stays")}});
  }
  if (!outcome.problems.empty()) return;
  const std::string changed = fmt::format("{}", fmt::join(outcome.changed, ", "));
  log.write(util::LogLevel::info, "config_reloaded",
            {{"cause", cause}, {"changed", std::string_view(changed.empty() ? "nothing" : changed)}});
  if (outcome.waiting.empty()) return;
  const std::string waiting = fmt::format("{}", fmt::join(outcome.waiting, ", "));
  log.write(util::LogLevel::warn, "config_needs_restart",
            {{"cause", cause},
             {"settings", std::string_view(waiting)},
             {"message", std::string_view("these take effect when the server is started again")}});
}

}  // namespace pensieve::tools
