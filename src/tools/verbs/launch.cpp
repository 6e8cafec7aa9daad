// pensieve launch: starts a coding agent of another maker so that it talks to a running server.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "tools/clients.h"
#include "tools/failure.h"
#include "tools/server_client.h"
#include "tools/settings.h"
#include "tools/terminal.h"

namespace pensieve::tools {
namespace {

using util::Json;

constexpr std::int64_t kTightContext = 32768;  // an agent's instructions and tools alone take half of it

struct Arguments {
  Settings settings;
  std::string client, model;
  std::vector<std::string> rest;
  bool print = false, json = false;
};

const Client& client_called(const std::string& name) {
  return *std::find_if(clients().begin(), clients().end(),
                       [&name](const Client& client) { return client.name == name; });
}

bool writes(const Json& model) {
  const Json known = model.value("capabilities", Json::array());
  return std::find(known.begin(), known.end(), "completion") != known.end();
}

// Without a name: the only model that writes, else the only one that is loaded.
Result<Json> choose_model(const ServerClient& server, const std::string& name) {
  if (!name.empty()) return server.get("/v1/models/" + escape_segment(name));
  const Result<Json> listing = server.get("/v1/models");
  if (!listing) return listing;
  Json all = Json::array(), loaded = Json::array();
  std::string names;
  for (const Json& model : listing->value("data", Json::array())) {
    if (!writes(model)) continue;
    names += (names.empty() ? "" : ", ") + model.at("id").get<std::string>();
    all.push_back(model);
    if (model.at("status").at("value") == "loaded") loaded.push_back(model);
  }
  if (all.size() == 1) return all.front();
  if (loaded.size() == 1) return loaded.front();
  if (all.empty()) return fail(Error::Code::not_found, "the server has no model that writes");
  return fail(Error::Code::invalid, "the server has several models; choose one with --model: " + names);
}

std::string quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

void print_shell(const Client& client, const Launch& launch) {
  for (const auto& [name, value] : launch.environment) {
    if (value) {
      fmt::print("export {}={}\n", name, quoted(*value));
    } else {
      fmt::print("unset {}\n", name);
    }
  }
  fmt::print("{}", client.program);
  for (const std::string& word : launch.arguments) fmt::print(" {}", quoted(word));
  fmt::print("\n");
}

void print_json(const Client& client, const Launch& launch) {
  Json environment = Json::object();
  for (const auto& [name, value] : launch.environment) environment[name] = value ? Json(*value) : Json();
  Json command = Json::array({std::string(client.program)});
  for (const std::string& word : launch.arguments) command.push_back(word);
  fmt::print("{}\n", util::to_json(Json{{"environment", environment}, {"command", command}}));
}

// Becomes the client; comes back only when that fails.
ExitCode become(const Client& client, Launch launch) {
  for (const auto& [name, value] : launch.environment) {
    if (value) {
      setenv(name.c_str(), value->c_str(), 1);
    } else {
      unsetenv(name.c_str());
    }
  }
  std::string program(client.program);
  std::vector<char*> words{program.data()};
  for (std::string& word : launch.arguments) words.push_back(word.data());
  words.push_back(nullptr);
  std::fflush(nullptr);
  execvp(program.c_str(), words.data());
  const int problem = errno;
  if (problem == ENOENT) {
    fmt::print(stderr, "pensieve: '{}' is not installed ({})\n", program, client.install);
  } else {
    fmt::print(stderr, "pensieve: '{}' cannot be started: {}\n", program, std::strerror(problem));
  }
  return kFailed;
}

ExitCode run(Arguments& arguments) {
  if (const ExitCode code = arguments.settings.load_or_report(); code != kDone) return code;
  const ServerClient server(arguments.settings.server);
  const Result<Json> model = choose_model(server, arguments.model);
  if (!model) {
    const bool unclear = model.error().code == Error::Code::invalid && arguments.model.empty();
    return report(model.error(), unclear ? During::usage : During::model);
  }
  const auto& keys = arguments.settings.server.api_key;
  const ServedModel served{server.url(), keys.empty() ? "pensieve" : keys.front(), model->at("id"),
                           model->value("context_length", std::int64_t{0})};
  if (served.context > 0 && served.context < kTightContext) {
    fmt::print(stderr,
               "pensieve: the context of '{}' is {} tokens; agents want {} or more (serve --context)\n",
               harmless(served.model), served.context, kTightContext);
  }
  const Client& client = client_called(arguments.client);
  Launch launch = client.plan(served);
  launch.arguments.insert(launch.arguments.end(), arguments.rest.begin(), arguments.rest.end());
  if (arguments.json) {
    print_json(client, launch);
  } else if (arguments.print) {
    print_shell(client, launch);
  } else {
    return become(client, std::move(launch));
  }
  return kDone;
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  std::vector<std::string> names;
  for (const Client& client : clients()) names.emplace_back(client.name);
  app.add_option("CLIENT", arguments->client, "which agent")->required()->check(CLI::IsMember(names));
  app.add_option("ARGUMENTS", arguments->rest, "handed to the agent; after --");
  app.add_option("--model", arguments->model, "name as `pensieve ps --all` shows it");
  app.add_flag("--print", arguments->print, "print the environment and the command for a shell instead");
  app.add_flag("--json", arguments->json, "print them as JSON instead");
  arguments->settings.declare_flags(app, {"host", "port", "api-key"});
  arguments->settings.declare_config(app);
  app.footer("Example:\n  pensieve launch claude --model qwen3-coder -- --continue");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_launch;
const Verb verb_launch{"launch", "start a coding agent (claude, codex, …) on a running server", declare};

}  // namespace pensieve::tools
