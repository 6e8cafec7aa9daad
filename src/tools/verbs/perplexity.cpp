// pensieve perplexity: how well a model predicts a text, counted as llama-perplexity counts.
#include "tools/perplexity.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "tools/failure.h"
#include "tools/forward.h"
#include "tools/model_argument.h"
#include "tools/progress.h"
#include "util/json.h"
#include "util/mapped_file.h"

namespace pensieve::tools {
namespace {

struct Arguments {
  Settings settings;
  std::string model, file;
  std::int64_t context = 512;
  bool json = false;
};

Result<std::vector<std::int32_t>> read_tokens(const Tokenizer& tokenizer, const std::string& path) {
  const Result<util::MappedFile> file = util::MappedFile::open(path);
  if (!file) return tl::unexpected(file.error());
  std::vector<std::int32_t> tokens;
  tokenizer.encode({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()}, {true, false},
                   tokens);
  return tokens;
}

ExitCode run(Arguments& arguments) {
  Settings& settings = arguments.settings;
  if (const ExitCode code = settings.load_or_report(); code != kDone) return code;
  const Result<std::string> path = find_model(arguments.model, settings);
  if (!path) return report(path.error(), During::model);
  ForwardOptions options;
  options.hardware = settings.hardware;
  options.quantize = settings.engine.quantize;
  options.kv_type = settings.engine.kv_type;
  options.tokens = arguments.context;
  const Result<std::unique_ptr<Forward>> forward = Forward::open(*path, options);
  if (!forward) return report(forward.error(), During::model);
  const Result<std::vector<std::int32_t>> tokens =
      read_tokens(*(*forward)->model().tokenizer, arguments.file);
  if (!tokens) return report(tokens.error(), During::model);
  Progress progress("perplexity", static_cast<std::int64_t>(tokens->size()));
  const Result<Perplexity> found = measure_perplexity(**forward, *tokens, arguments.context,
                                                      [&](std::int64_t done) { progress.advance(done); });
  if (!found) return report(found.error(), During::usage);
  if (arguments.json) {
    fmt::print("{}\n", util::to_json({{"perplexity", found->value()},
                                      {"tokens", found->tokens},
                                      {"chunks", found->chunks},
                                      {"context", arguments.context}}));
  } else {
    fmt::print("perplexity {:.4f} over {} tokens in {} chunks of {}\n", found->value(), found->tokens,
               found->chunks, arguments.context);
  }
  return kDone;
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  declare_model(app, arguments->settings, arguments->model);
  arguments->settings.declare_flags(app, {"backend", "threads", "isa", "kv-type", "quantize"});
  app.add_option("--file", arguments->file, "text to predict")->required()->type_name("TEXT");
  app.add_option("--context", arguments->context,
                 "tokens in a chunk; the second half of each is scored; default 512")
      ->check(CLI::Range(4, 1 << 20))
      ->type_name("N");
  app.add_flag("--json", arguments->json, "print JSON");
  app.footer("Example:\n  pensieve perplexity --model model.gguf --file text.txt --context 512 --json");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_perplexity;
const Verb verb_perplexity{"perplexity", "how well a model predicts a text", declare};

}  // namespace pensieve::tools
