// pensieve worker: one model in a process of its own. Started by `pensieve serve`, never by people: it talks
// to the server over a socket that it inherits.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "manage/worker/child_process.h"
#include "manage/worker/service.h"
#include "tools/failure.h"
#include "tools/verb.h"

namespace pensieve::tools {
namespace {

bool is_socket(int descriptor) {
  int kind = 0;
  socklen_t size = sizeof kind;
  return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &kind, &size) == 0 && kind == AF_UNIX;
}

ExitCode run() {
  if (!is_socket(manage::kWorkerSocket))
    return report_usage("'worker' is started by 'pensieve serve', not by hand. See pensieve serve --help.");
  manage::end_with_parent();
  // Everything is told to the gateway as JSON; what is worth writing is decided there.
  util::Log log(util::LogLevel::debug, util::LogFormat::json);
  _exit(static_cast<int>(manage::serve_gateway(manage::kWorkerSocket, log)));
}

void declare(CLI::App& app, int& exit_code) {
  app.group("");                                       // not in the list of verbs
  const auto label = std::make_shared<std::string>();  // shared: CLI11 keeps copies of callbacks
  app.add_option("LABEL", *label, "shown in lists of processes");
  app.footer("Started by `pensieve serve`, never by hand.\nExample:\n  pensieve serve model.gguf --isolation process");
  app.callback([label, &exit_code] { exit_code = run(); });
}

}  // namespace

extern const Verb verb_worker;
const Verb verb_worker{"worker", "one model in a process of its own; internal", declare};

}  // namespace pensieve::tools
