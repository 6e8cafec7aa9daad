// Settings: every option of the program in one place, filled from flags, environment and file, for one run of
// one verb. The composition root's view; modules see only their own struct.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "engine/options.h"
#include "hal/options.h"
#include "manage/config/log_options.h"
#include "manage/config/schema.h"
#include "manage/pool_options.h"
#include "manage/worker/options.h"
#include "model/options.h"
#include "tools/verb.h"
#include "util/log.h"
#ifdef PENSIEVE_WITH_SERVER
#include "server/options.h"
#endif

namespace pensieve::tools {

// Handed to Server::open_grpc: not among the server's own options, because the tests of those start servers
// without gRPC.
struct GrpcOptions {
  std::int64_t grpc_port = 7778;
};

class Settings {
 public:
  Settings();
  Settings(const Settings&) = delete;  // the schema points into this object
  Settings& operator=(const Settings&) = delete;

#ifdef PENSIEVE_WITH_SERVER
  server::Options server;
  GrpcOptions grpc;
  manage::WorkerOptions workers;
#endif
  engine::Options engine;
  hal::Options hardware;
  model::Options models;
  manage::PoolOptions pool;
  manage::LogOptions log;
  manage::Schema schema;

  // Declares flags on a verb: --config, those named ("kv-type"), or every one. Bad values are CLI11
  // validation errors (exit code 2).
  void declare_config(CLI::App& app);
  void declare_flags(CLI::App& app, std::initializer_list<std::string_view> flags);
  void declare_all(CLI::App& app);

  // Another default for one verb; before its flag is declared, whose help names it.
  void set_default(std::string_view flag, manage::SettingValue value);

  // Takes over the flags (and the name of the file) that were given to another.
  void repeat_flags(const Settings& other);
  // Adds environment and file to what the flags gave. The file: --config, else PENSIEVE_CONFIG, else
  // ~/.config/pensieve/config.toml (or .yaml, .yml) where it exists.
  std::vector<Error> load(const char* const* environment);
  // The same; prints the problems and answers their exit code, kDone when there are none.
  ExitCode load_or_report();

  const std::string& file() const {
    return file_;
  }  // the file that was read, empty when none

  util::LogLevel log_level() const;
  util::LogFormat log_format() const;
  // Where a flag's value came from.
  manage::Source source(std::string_view flag);

 private:
  void declare_flag(CLI::App& app, manage::Setting& setting);

  std::string file_;
};

}  // namespace pensieve::tools
