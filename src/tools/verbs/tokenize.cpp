// pensieve tokenize: text to token ids and back, as JSON lines.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "model/loaded_model.h"
#include "tools/failure.h"
#include "tools/json_lines.h"
#include "tools/model_argument.h"

namespace pensieve::tools {
namespace {

struct Arguments {
  Settings settings;
  std::string model;
  bool decode = false;
};

Result<Json> encode_line(const Tokenizer& tokenizer, const Json& line) {
  const Result<bool> add = flag_field(line, "add_special", true);
  if (!add) return tl::unexpected(add.error());
  const Result<bool> parse = flag_field(line, "parse_special", true);
  if (!parse) return tl::unexpected(parse.error());
  if (!line.contains("text") && !line.contains("hex"))
    return fail(Error::Code::invalid, "'text' or 'hex' is missing", "text");
  if (line.contains("text") && line.contains("hex"))
    return fail(Error::Code::invalid, "'text' and 'hex' are both given; give one of them", "text");
  const Result<std::string> text =
      line.contains("hex") ? hex_field(line, "hex") : text_field(line, "text", "");
  if (!text) return tl::unexpected(text.error());
  std::vector<std::int32_t> ids;
  tokenizer.encode(*text, {*add, *parse}, ids);
  return Json{{"ids", ids}};
}

Result<Json> decode_line(const Tokenizer& tokenizer, const Json& line) {
  const Result<std::vector<std::int32_t>> ids = ids_field(line, "ids", tokenizer.vocabulary());
  if (!ids) return tl::unexpected(ids.error());
  const Result<bool> special = flag_field(line, "special", true);
  if (!special) return tl::unexpected(special.error());
  return Json{{"text", tokenizer.decode(*ids, *special)}};
}

Result<std::unique_ptr<Tokenizer>> open_tokenizer(const std::string& path) {
  const Result<std::unique_ptr<ModelFile>> file = model::open_model_file(path);
  if (!file) return tl::unexpected(file.error());
  return model::load_tokenizer(**file);
}

ExitCode run(Arguments& arguments) {
  if (const ExitCode code = arguments.settings.load_or_report(); code != kDone) return code;
  const Result<std::string> path = find_model(arguments.model, arguments.settings);
  if (!path) return report(path.error(), During::model);
  const Result<std::unique_ptr<Tokenizer>> tokenizer = open_tokenizer(*path);
  if (!tokenizer) return report(tokenizer.error(), During::model);
  const Result<> answered = answer_lines(std::cin, std::cout, [&](const Json& line) {
    return arguments.decode ? decode_line(**tokenizer, line) : encode_line(**tokenizer, line);
  });
  return answered ? kDone : report(answered.error(), During::work);
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  declare_model(app, arguments->settings, arguments->model);
  app.add_flag("--decode", arguments->decode,
               R"(token ids to text: {"ids":[…],"special":true} → {"text":…})");
  app.footer(
      "Reads JSON lines, writes JSON lines. \"hex\" instead of \"text\" gives bytes that are not UTF-8.\n"
      "Example:\n  echo '{\"text\":\"Hello\",\"add_special\":true,\"parse_special\":true}' | pensieve "
      "tokenize --model model.gguf");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_tokenize;
const Verb verb_tokenize{"tokenize", "text to token ids and back, as JSON lines", declare};

}  // namespace pensieve::tools
