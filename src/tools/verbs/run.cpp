// pensieve run: a chat in the terminal, or one answer for a prompt given as argument or on standard input.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "manage/local_inference.h"
#include "tools/conversation.h"
#include "tools/failure.h"
#include "tools/model_argument.h"
#include "tools/progress.h"
#include "util/unicode.h"

namespace pensieve::tools {
namespace {

struct Arguments {
  Settings settings;
  std::string model, prompt, system;
  std::optional<double> temperature;
  std::optional<std::uint64_t> seed;
  std::int64_t max_tokens = -1;
  bool raw = false;
};

GenerationRequest pattern(const Arguments& arguments, const ModelInfo& info) {
  GenerationRequest request;
  request.request_id = "run";
  request.sampling = info.defaults;
  if (arguments.temperature) request.sampling.temperature = static_cast<float>(*arguments.temperature);
  if (arguments.seed) request.sampling.seed = arguments.seed;
  request.max_tokens = arguments.max_tokens;
  return request;
}

ChatMessage message(const char* role, std::string text) {
  ChatMessage made;
  made.role = role;
  made.content = std::move(text);
  return made;
}

// A line typed on the terminal. Nothing: end of input, or Ctrl-C twice.
class Prompter {
 public:
  explicit Prompter(Interrupts& interrupts) : interrupts_(interrupts) {}

  std::optional<std::string> read_line() {
    fmt::print(">>> ");
    std::fflush(stdout);
    for (;;) {
      if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      if (!interrupts_.wait_readable(STDIN_FILENO)) {
        if (warned_) return leave(true);
        warned_ = true;
        fmt::print("\n(Ctrl-C again, Ctrl-D or /bye to leave)\n>>> ");
        std::fflush(stdout);
        continue;
      }
      char bytes[4096];
      const ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
      if (count <= 0) return leave(false);
      warned_ = false;
      buffer_.append(bytes, static_cast<std::size_t>(count));
    }
  }
  bool interrupted() const { return interrupted_; }

 private:
  std::optional<std::string> leave(bool interrupted) {
    interrupted_ = interrupted;
    fmt::print("\n");
    return std::nullopt;
  }
  Interrupts& interrupts_;
  std::string buffer_;
  bool warned_ = false, interrupted_ = false;
};

ExitCode chat(const Arguments& arguments, Conversation& conversation, Interrupts& interrupts) {
  ChatRequest history;
  const auto clear = [&] {
    history.messages.clear();
    if (!arguments.system.empty()) history.messages.push_back(message("system", arguments.system));
  };
  clear();
  fmt::print("Type a message; /clear forgets the conversation, /bye leaves, Ctrl-C stops an answer.\n");
  Prompter prompter(interrupts);
  while (const std::optional<std::string> line = prompter.read_line()) {
    if (*line == "/bye" || *line == "/exit") return kDone;
    if (*line == "/clear") clear();
    if (line->empty() || *line == "/clear") continue;
    if (!util::valid_utf8(*line)) {
      fmt::print(stderr, "pensieve: the line is not UTF-8 text\n");
      continue;
    }
    history.messages.push_back(message("user", *line));
    const Result<Answer> answer = arguments.raw ? conversation.ask(*line) : conversation.ask(history);
    fmt::print("\n");
    if (!answer) {
      history.messages.pop_back();
      fmt::print(stderr, "pensieve: {}\n", answer.error().what);
      if (answer.error().reason == "context_length_exceeded") fmt::print(stderr, "(/clear starts afresh)\n");
      continue;
    }
    history.messages.push_back(message("assistant", answer->text));
    if (answer->reason == FinishReason::length) fmt::print("(cut at the length limit)\n");
  }
  return prompter.interrupted() ? kInterrupted : kDone;
}

ExitCode answer_once(const Arguments& arguments, Conversation& conversation, const std::string& prompt) {
  ChatRequest request;
  if (!arguments.system.empty()) request.messages.push_back(message("system", arguments.system));
  request.messages.push_back(message("user", prompt));
  const Result<Answer> answer =
      arguments.raw ? conversation.ask(prompt) : conversation.ask(std::move(request));
  if (!answer) return report(answer.error(), During::work);
  fmt::print("\n");
  return answer->reason == FinishReason::cancelled ? kInterrupted : kDone;
}

// The prompt of a one-shot run: the argument, and what is piped in after it. Nothing: talk on the terminal.
std::optional<std::string> given_prompt(const Arguments& arguments) {
  std::string prompt = arguments.prompt;
  if (isatty(STDIN_FILENO) == 0) {
    const std::string piped{std::istreambuf_iterator<char>(std::cin), {}};
    if (!prompt.empty() && !piped.empty()) prompt += "\n\n";
    prompt += piped;
    return prompt;
  }
  return prompt.empty() ? std::nullopt : std::optional(prompt);
}

// Loading cannot be broken off, but it need not be waited for: an interrupt ends the program.
Result<std::unique_ptr<manage::LocalInference>> load(const std::string& path, const Settings& settings,
                                                     util::Log& log, Interrupts& interrupts) {
  constexpr std::chrono::milliseconds kLook{50};
  const Notice notice("loading the model …");
  auto loading = std::async(std::launch::async, [&] {
    return manage::LocalInference::load(path, "", settings.hardware, settings.engine, log);
  });
  while (loading.wait_for(kLook) != std::future_status::ready) {
    if (interrupts.pending()) std::_Exit(kInterrupted);
  }
  return loading.get();
}

ExitCode run(Arguments& arguments) {
  Interrupts interrupts({SIGINT});
  Settings& settings = arguments.settings;
  if (arguments.temperature && !std::isfinite(*arguments.temperature))
    return report_usage("--temperature is no number; give one from 0 to 100");
  if (const ExitCode code = settings.load_or_report(); code != kDone) return code;
  if (settings.source("parallel") == manage::Source::standard) settings.engine.parallel = 1;
  if (settings.source("log-level") == manage::Source::standard) settings.log.level = "warn";
  const Result<std::string> path = find_model(arguments.model, settings);
  if (!path) return report(path.error(), During::model);
  const std::optional<std::string> prompt = given_prompt(arguments);
  if (prompt && prompt->empty())
    return report_usage("the prompt is empty: give it as an argument or on standard input");
  if (prompt && !util::valid_utf8(*prompt))
    return report_usage("the prompt is not UTF-8 text; convert it first, for example with iconv");
  if (!util::valid_utf8(arguments.system)) return report_usage("--system is not UTF-8 text");
  util::Log log(settings.log_level(), settings.log_format());
  const Result<std::unique_ptr<manage::LocalInference>> model = load(*path, settings, log, interrupts);
  if (!model) return report(model.error(), During::model);
  Conversation conversation(**model, interrupts, pattern(arguments, (*model)->info()),
                            isatty(STDOUT_FILENO) == 0);
  return prompt ? answer_once(arguments, conversation, *prompt) : chat(arguments, conversation, interrupts);
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  app.add_option("MODEL", arguments->model, "model file, or a name known in the model directories")
      ->required();
  app.add_option("PROMPT", arguments->prompt, "answer this and exit; piped standard input is added below it");
  app.add_option("--temperature", arguments->temperature,
                 "0: always the likeliest token; default: the model's own")
      ->check(CLI::Range(0.0, 100.0))
      ->type_name("T");
  app.add_option("--seed", arguments->seed, "the same seed gives the same answer")->type_name("N");
  app.add_option("--max-tokens", arguments->max_tokens, "longest answer; default: up to the context")
      ->check(CLI::Range(1, 1 << 24))
      ->type_name("N");
  app.add_option("--system", arguments->system, "system message")->type_name("TEXT");
  app.add_flag("--raw", arguments->raw, "continue the text as it is, without the chat template");
  arguments->settings.declare_flags(app, {"models-dir", "backend", "threads", "isa", "context", "kv-type",
                                          "quantize", "log-level", "log-format"});
  arguments->settings.declare_config(app);
  app.footer(
      "Examples:\n  pensieve run model.gguf\n  pensieve run model.gguf \"Why is the sky blue?\" "
      "--temperature 0\n  cat letter.txt | pensieve run model.gguf \"Summarise this:\"");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_run;
const Verb verb_run{"run", "chat with a model in the terminal, or ask it once", declare};

}  // namespace pensieve::tools
