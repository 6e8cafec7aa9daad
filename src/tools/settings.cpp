// Binds the option tables, declares flags, and reads the other sources.
#include "tools/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "manage/config/environment.h"
#include "manage/config/file.h"
#include "tools/failure.h"

namespace pensieve::tools {
namespace {

using manage::Setting;
using manage::Source;

#ifdef PENSIEVE_WITH_SERVER
constexpr std::array kGrpcOptions{
    Option<GrpcOptions>{.key = "grpc_port",
                        .member = &GrpcOptions::grpc_port,
                        .help = "gRPC port; 0: a free one",
                        .minimum = 0,
                        .maximum = 65535},
};
#endif

std::string variable(const char* const* environment, std::string_view name) {
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return std::string(entry.substr(name.size() + 1));
  }
  return "";
}

std::string default_file(const char* const* environment) {
  if (std::string named = variable(environment, "PENSIEVE_CONFIG"); !named.empty()) return named;
  std::string base = variable(environment, "XDG_CONFIG_HOME");
  if (const std::string home = variable(environment, "HOME"); base.empty() && !home.empty())
    base = home + "/.config";
  if (base.empty()) return "";
  for (const char* suffix : {"toml", "yaml", "yml"}) {
    std::error_code ignored;
    std::string path = fmt::format("{}/pensieve/config.{}", base, suffix);
    if (std::filesystem::exists(path, ignored)) return path;
  }
  return "";
}

std::string flag_help(const Setting& setting) {
  std::string text = setting.help;
  if (!setting.allowed.empty()) text += fmt::format(" ({})", fmt::join(setting.allowed, "|"));
  if (!setting.unit.empty()) text += fmt::format(" [{}]", setting.unit);
  const bool list = std::holds_alternative<std::vector<std::string>*>(setting.target);
  if (!list && !setting.secret) text += fmt::format("; default {}", manage::show(setting, setting.initial));
  return text;
}

}  // namespace

Settings::Settings() {
#ifdef PENSIEVE_WITH_SERVER
  schema.add("server", server::kOptions, server);
  schema.add("server", kGrpcOptions, grpc);
  schema.add("workers", manage::kWorkerOptions, workers);
#else
  schema.ignore_section("server");
  schema.ignore_section("workers");
#endif
  schema.add("engine", engine::kOptions, engine);
  schema.add("hardware", hal::kOptions, hardware);
  schema.add("models", model::kOptions, models);
  schema.add("pool", manage::kPoolOptions, pool, "pool-");
  schema.add("log", manage::kLogOptions, log, "log-");
}

void Settings::declare_flag(CLI::App& app, Setting& setting) {
  const std::string flag = "--" + setting.flag;
  if (std::holds_alternative<bool*>(setting.target)) {
    const auto accept = [&setting, flag](std::int64_t count) {
      (void)manage::Schema::assign(setting, count > 0, Source::flag, flag);
    };
    app.add_flag_function(flag + ",!--no-" + setting.flag, accept, flag_help(setting));
    return;
  }
  const auto accept = [&setting, flag](const std::vector<std::string>& texts) {
    const bool list = std::holds_alternative<std::vector<std::string>*>(setting.target);
    const Result<> assigned = list ? manage::Schema::assign(setting, texts, Source::flag, flag)
                                   : manage::Schema::assign_text(setting, texts.back(), Source::flag, flag);
    if (!assigned) throw CLI::ValidationError(assigned.error().what);
  };
  CLI::Option* option = app.add_option_function<std::vector<std::string>>(flag, accept, flag_help(setting));
  option->expected(1)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  option->type_name(setting.target.index() == 1 || setting.target.index() == 2 ? "N" : "TEXT");
}

void Settings::declare_config(CLI::App& app) {
  app.add_option("--config", file_,
                 "configuration file, TOML or YAML (*.yaml, *.yml); default ~/.config/pensieve/config.toml")
      ->type_name("FILE");
}

void Settings::declare_flags(CLI::App& app, std::initializer_list<std::string_view> flags) {
  for (const std::string_view flag : flags) {
    if (Setting* setting = schema.find_flag(flag)) declare_flag(app, *setting);
  }
}

void Settings::declare_all(CLI::App& app) {
  declare_config(app);
  for (const Setting& setting : schema.settings()) declare_flag(app, *schema.find_flag(setting.flag));
}

void Settings::set_default(std::string_view flag, manage::SettingValue value) {
  Setting* setting = schema.find_flag(flag);
  setting->initial = value;
  (void)manage::Schema::assign(*setting, std::move(value), Source::standard, "");
}

void Settings::repeat_flags(const Settings& other) {
  file_ = other.file_;
  for (const Setting& given : other.schema.settings()) {
    if (given.source == Source::flag) manage::Schema::adopt(*schema.find(given.section, given.key), given);
  }
}

std::vector<Error> Settings::load(const char* const* environment) {
  std::vector<Error> problems = manage::apply_environment(schema, environment);
  if (file_.empty()) file_ = default_file(environment);
  if (file_.empty()) return problems;
  for (Error& problem : manage::apply_file(schema, file_)) problems.push_back(std::move(problem));
  return problems;
}

ExitCode Settings::load_or_report() {
  ExitCode code = kDone;
  for (const Error& problem : load(environ)) code = report(problem, During::usage);
  return code;
}

util::LogLevel Settings::log_level() const {
  for (std::size_t i = 0; i < manage::kLogLevels.size(); ++i) {
    if (manage::kLogLevels[i] == log.level) return static_cast<util::LogLevel>(i);
  }
  return util::LogLevel::info;
}

util::LogFormat Settings::log_format() const {
  return log.format == "json" ? util::LogFormat::json : util::LogFormat::text;
}

Source Settings::source(std::string_view flag) {
  const Setting* setting = schema.find_flag(flag);
  return setting == nullptr ? Source::standard : setting->source;
}

}  // namespace pensieve::tools
