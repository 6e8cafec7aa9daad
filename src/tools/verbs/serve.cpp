// pensieve serve: the composition root of the server: configuration, log, models and network, put together
// and taken apart.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "manage/config/watch.h"
#include "manage/local_inference.h"
#include "manage/model_pool.h"
#include "manage/worker/workers.h"
#include "server/server.h"
#include "tools/build_info.h"
#include "tools/failure.h"
#include "tools/interrupts.h"
#include "tools/reload.h"
#include "tools/settings.h"

namespace pensieve::tools {
namespace {

using util::LogLevel;

struct Arguments {
  Settings settings;
  std::vector<std::string> models;
};

// A model that is not there or no model file is refused before anything listens; loading comes later.
Result<std::vector<ModelInfo>> resolve(model::Catalog& catalog, const std::vector<std::string>& references) {
  std::vector<ModelInfo> served;
  for (const std::string& reference : references) {
    Result<model::CatalogEntry> entry = catalog.resolve(reference);
    if (!entry) return tl::unexpected(std::move(entry.error()));
    if (!entry->problem.empty())
      return fail(Error::Code::invalid, fmt::format("'{}' cannot be served: {}", reference, entry->problem));
    entry->info.name = entry->name;
    const auto same = [&](const ModelInfo& other) { return other.name == entry->name; };
    if (const auto twin = std::find_if(served.begin(), served.end(), same); twin != served.end()) {
      if (twin->path == entry->info.path) continue;
      return fail(Error::Code::invalid,
                  fmt::format("'{}' and '{}' are both called '{}'; rename one of the files", twin->path,
                              entry->info.path, entry->name));
    }
    served.push_back(std::move(entry->info));
  }
  return served;
}

// With `workers`, model files are read and models run in processes of their own; without, in this one.
manage::PoolSource pool_source(model::Catalog& catalog, manage::Workers* workers, const Settings& settings,
                               util::Log& log) {
  manage::PoolSource source;
  source.scan = [&catalog] { return catalog.scan(); };
  source.find = [&catalog](std::string_view name) { return catalog.find(name); };
  source.load = [workers, &settings, &log](
                    const ModelInfo& info,
                    const manage::LoadBudget& budget) -> Result<std::unique_ptr<Inference>> {
    if (workers != nullptr) return workers->load(info, budget);
    return manage::LocalInference::load(info.path, info.name, settings.hardware, settings.engine, log,
                                        budget);
  };
  source.available = [&settings] { return manage::LocalInference::available(settings.hardware); };
  return source;
}

void greet(const std::string& url, const std::vector<ModelInfo>& served) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::string names;
  for (const ModelInfo& info : served) names += (names.empty() ? "" : ", ") + info.name;
  fmt::print(stderr, "\n  Pensieve {}\n  chat    {}/\n  API     {}/v1\n  models  {}\n  stop    Ctrl-C\n\n",
             build_version(), url, url,
             names.empty() ? "those of the model directories, on first use" : names);
}

// What a reload changes: the parts that hold settings of their own.
struct Reloadable {
  Settings& settings;
  server::Server& server;
  manage::OnDemandPool& pool;
  util::Log& log;

  void reload(std::string_view cause) {
    const ReloadOutcome outcome = tools::reload(
        settings, environ, [](const Settings& next) { return server::Server::check(next.server); });
    const bool succeeded = outcome.problems.empty();
    server.count_reload(succeeded);
    if (succeeded) {
      log.set_level(settings.log_level());
      server.configure(settings.server);
      pool.configure(settings.pool);
    }
    log_reload(outcome, cause, log);
  }
};

// Opened soon after the file has been read, so that no change is missed while models load. Nothing without a
// file.
std::optional<manage::FileWatch> watch_configuration(const Settings& settings, util::Log& log) {
  if (settings.file().empty()) return std::nullopt;
  Result<manage::FileWatch> opened = manage::FileWatch::open(settings.file());
  if (opened) return std::move(*opened);
  log.write(LogLevel::warn, "config_not_watched",
            {{"problem", std::string_view(opened.error().what)},
             {"message", std::string_view("send SIGHUP after a change")}});
  return std::nullopt;
}

// Reloads on SIGHUP and when the file changes, until a signal says stop: its number.
int reload_until_stop(Reloadable running, Interrupts& interrupts, std::optional<manage::FileWatch>& watch) {
  for (;;) {
    const std::optional<int> signal = interrupts.wait_signal_or(watch ? watch->descriptor() : -1);
    if (signal && *signal != SIGHUP) return *signal;
    const bool changed = watch && watch->changed();
    if (signal) {
      running.reload("SIGHUP");
    } else if (changed) {
      running.reload("file");
    }
  }
}

// Waits for the first signal, then stops; from then on a second one ends the program at once.
void serve_until_signal(Reloadable running, Interrupts& interrupts, std::optional<manage::FileWatch>& watch,
                        std::optional<LastInterrupt>& second) {
  const int signal = reload_until_stop(running, interrupts, watch);
  const std::chrono::seconds grace(running.settings.server.drain_timeout);
  running.log.write(LogLevel::info, "stopping",
                    {{"signal", static_cast<std::int64_t>(signal)},
                     {"grace_seconds", static_cast<std::int64_t>(grace.count())}});
  second.emplace(interrupts);
  running.server.stop(grace);
}

// Who waits for the line about the ports finds the directories read and a small model ready, instead of
// meeting them a tenth of a second too early; large ones are not waited for.
void await_small_models(const manage::OnDemandPool& pool) {
  constexpr std::chrono::milliseconds kPause{5};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  const auto settled = [&pool] {
    if (!pool.directories_read()) return false;
    const std::vector<manage::ModelStatus> models = pool.list();
    return pool.ready() || std::all_of(models.begin(), models.end(), [](const manage::ModelStatus& model) {
             return model.state == manage::ModelState::failed;
           });
  };
  while (!settled() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(kPause);
}

ExitCode run(Arguments& arguments) {
  Interrupts interrupts({SIGINT, SIGTERM, SIGHUP});
  std::optional<LastInterrupt> second;  // until everything below is gone
  std::signal(SIGPIPE, SIG_IGN);
  Settings& settings = arguments.settings;
  if (const ExitCode code = settings.load_or_report(); code != kDone) return code;
  // Refused as `config check` refuses it, and before model files are read.
  if (const Result<> usable = server::Server::check(settings.server); !usable)
    return report(usable.error(), During::model);  // as a file that is refused
  util::Log log(settings.log_level(), settings.log_format());
  std::optional<manage::FileWatch> watch = watch_configuration(settings, log);
  for (const std::string& directory : model::absent_directories(settings.models)) {
    log.write(
        LogLevel::warn, "models_dir_absent",
        {{"directory", std::string_view(directory)}, {"message", std::string_view("no such directory")}});
  }
  std::optional<manage::Workers> workers;
  model::Examiner examiner = model::examine_here;
  if (settings.workers.isolation == "process") {
    workers.emplace(settings.workers, settings.hardware, settings.engine, log);
    examiner = [&workers](const std::vector<std::string>& paths) { return workers->examine(paths); };
  }
  model::Catalog catalog(model::model_directories(settings.models), std::move(examiner));
  const Result<std::vector<ModelInfo>> served = resolve(catalog, arguments.models);
  if (!served) return report(served.error(), During::model);

  manage::OnDemandPool pool(pool_source(catalog, workers ? &*workers : nullptr, settings, log), *served, log,
                            settings.pool);
  manage::Services services{pool, log};
  Result<std::unique_ptr<server::Server>> server = server::Server::start(settings.server, services);
  if (!server) return report(server.error(), During::work);
  if (const auto grpc = (*server)->open_grpc(settings.grpc.grpc_port); !grpc)
    return report(grpc.error(), During::work);
  const std::string url = (*server)->url(), grpc_address = (*server)->grpc_address();
  pool.start();
  await_small_models(pool);
  fmt::print("listening http={} grpc={}\n", url, grpc_address);
  std::fflush(stdout);
  log.write(LogLevel::info, "listening",
            {{"url", std::string_view(url)},
             {"grpc", std::string_view(grpc_address)},
             {"version", std::string_view(PENSIEVE_VERSION)}});
  greet(url, *served);
  serve_until_signal({settings, **server, pool, log}, interrupts, watch, second);
  server->reset();
  log.write(LogLevel::info, "stopped");
  const std::vector<manage::ModelStatus> models = pool.list();
  const auto loading = [](const manage::ModelStatus& model) {
    return model.state == manage::ModelState::loading;
  };
  // A load cannot be broken off and may take minutes; nothing of it is worth waiting for.
  if (std::any_of(models.begin(), models.end(), loading)) std::_Exit(kDone);
  return kDone;
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  app.add_option("MODEL", arguments->models,
                 "models to load at start: files, or names known in the model directories");
  arguments->settings.declare_all(app);
  app.footer(
      "Prints `listening http=URL grpc=ADDRESS` once the ports are bound; models that take longer than a "
      "second "
      "may still be loading then (GET /readyz tells).\n"
      "Example:\n  pensieve serve model.gguf --port 7777 --context 4096");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_serve;
const Verb verb_serve{"serve", "serve models over HTTP, with a chat page", declare};

}  // namespace pensieve::tools
