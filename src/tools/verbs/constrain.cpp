// pensieve constrain: what a constraint allows, decided token by token with the masks that the sampler uses.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <vector>

#include "core/generation.h"
#include "engine/constraint/matcher.h"
#include "model/loaded_model.h"
#include "tools/failure.h"
#include "tools/json_lines.h"
#include "tools/model_argument.h"
#include "util/mapped_file.h"

namespace pensieve::tools {
namespace {

using engine::constraint::Automaton;
using engine::constraint::Matcher;
using engine::constraint::Program;
using engine::constraint::TokenTrie;

struct Arguments {
  Settings settings;
  std::string model, schema, regex, grammar, syntax;
  bool batch = false, times = false;
};

// How long constraints took to compile and masks to make, in microseconds: each answer's masks as in a
// server, where every request has an automaton of its own.
class Times {
 public:
  template <class Work>
  auto measure(std::vector<double>& into, Work work) {
    const auto began = std::chrono::steady_clock::now();
    auto result = work();
    into.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count());
    return result;
  }
  Json summary() {
    Json all = Json::object();
    all["compile"] = of(compiled);
    all["first_mask"] = of(first);
    all["mask"] = of(masks);
    return all;
  }
  std::vector<double> compiled, first, masks;  // masks: all, the first ones too

 private:
  static Json of(std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    double sum = 0;
    for (const double value : values) sum += value;
    const auto at = [&values](double share) {
      return values.empty()
                 ? 0
                 : values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
    };
    return {{"count", values.size()},
            {"mean_us", values.empty() ? 0 : sum / static_cast<double>(values.size())},
            {"p50_us", at(0.5)},
            {"p99_us", at(0.99)},
            {"largest_us", at(1)}};
  }
};

struct Vocabulary {
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<TokenTrie> trie;
};

Result<Vocabulary> read_vocabulary(const Arguments& arguments) {
  const Result<std::string> path = find_model(arguments.model, arguments.settings);
  if (!path) return tl::unexpected(path.error());
  const Result<std::unique_ptr<ModelFile>> file = model::open_model_file(*path);
  if (!file) return tl::unexpected(file.error());
  Result<std::unique_ptr<Tokenizer>> tokenizer = model::load_tokenizer(**file);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  auto trie = std::make_unique<TokenTrie>(**tokenizer);
  return Vocabulary{std::move(*tokenizer), std::move(trie)};
}

// The tokens of a text, as long as they spell it: some tokenizers add white space of their own.
std::vector<std::int32_t> tokens_of(const Vocabulary& vocabulary, const std::string& text) {
  std::vector<std::int32_t> tokens;
  vocabulary.tokenizer->encode(text, {}, tokens);
  std::string spelled;
  for (const std::int32_t token : tokens) spelled += vocabulary.trie->text(token);
  if (spelled != text) tokens.clear();
  return tokens;
}

Result<std::string> verdict(const Vocabulary& vocabulary, const std::shared_ptr<Automaton>& automaton,
                            const std::string& text, Times& times) {
  Matcher matcher(automaton);
  const std::vector<std::int32_t> tokens = tokens_of(vocabulary, text);
  bool alive = true;
  for (std::size_t i = 0; alive && i < tokens.size(); ++i) {
    const auto mask = times.measure(times.masks, [&] { return matcher.allowed(); });
    if (i == 0) times.first.push_back(times.masks.back());
    if (!mask) return tl::unexpected(mask.error());
    const auto token = static_cast<std::size_t>(tokens[i]);
    alive = ((*mask)[token / 64] >> (token % 64) & 1U) != 0;
    if (!alive) break;
    const Result<bool> taken = matcher.accept(tokens[i]);
    if (!taken) return tl::unexpected(taken.error());
    alive = *taken;
  }
  if (tokens.empty()) {
    const Result<bool> taken = matcher.accept_bytes(text);
    if (!taken) return tl::unexpected(taken.error());
    alive = *taken;
  }
  return std::string(!alive ? "reject" : matcher.may_end() ? "accept" : "prefix");
}

Constraint::Kind kind_of_grammar(const std::string& syntax, const std::string& source) {
  if (syntax == "lark") return Constraint::Kind::lark;
  if (syntax == "gbnf" || source.find("::=") != std::string::npos) return Constraint::Kind::gbnf;
  return Constraint::Kind::lark;
}

Result<std::shared_ptr<Automaton>> automaton_for(const Constraint& constraint, const Vocabulary& vocabulary,
                                                 Times& times) {
  const Result<Program> program =
      times.measure(times.compiled, [&] { return engine::constraint::compile(constraint); });
  if (!program) return tl::unexpected(program.error());
  try {
    return std::make_shared<Automaton>(*program, *vocabulary.trie);
  } catch (const engine::constraint::Refusal& refusal) {
    return fail(Error::Code::unsupported, refusal.what());
  }
}

Result<Constraint> constraint_of(const Json& line) {
  if (line.contains("schema"))
    return Constraint{Constraint::Kind::json_schema, util::to_json(line["schema"])};
  for (const char* key : {"regex", "grammar"}) {
    if (!line.contains(key)) continue;
    const Result<std::string> source = text_field(line, key, "");
    if (!source) return tl::unexpected(source.error());
    if (std::string_view(key) == "regex") return Constraint{Constraint::Kind::regex, *source};
    const Result<std::string> syntax = text_field(line, "syntax", "");
    if (!syntax) return tl::unexpected(syntax.error());
    return Constraint{kind_of_grammar(*syntax, *source), *source};
  }
  return fail(Error::Code::invalid, "the line has none of 'schema', 'regex' and 'grammar'");
}

Result<Json> answer_batch(const Json& line, const Vocabulary& vocabulary, bool measured, Times& times) {
  const Result<Constraint> constraint = constraint_of(line);
  if (!constraint) return tl::unexpected(constraint.error());
  if (!line.contains("texts") || !line["texts"].is_array())
    return fail(Error::Code::invalid, "'texts' is missing, expected a list of texts", "texts");
  Result<std::shared_ptr<Automaton>> automaton = automaton_for(*constraint, vocabulary, times);
  if (!automaton) return Json{{"refused", automaton.error().what}};
  Json verdicts = Json::array();
  for (const Json& text : line["texts"]) {
    if (!text.is_string())
      return fail(Error::Code::invalid, "'texts' holds something that is no text", "texts");
    if (measured && !verdicts.empty()) {
      automaton = automaton_for(*constraint, vocabulary, times);
      if (!automaton) return Json{{"refused", automaton.error().what}};
    }
    const Result<std::string> one = verdict(vocabulary, *automaton, text.get<std::string>(), times);
    if (!one) return Json{{"refused", one.error().what}};
    verdicts.push_back(*one);
  }
  return Json{{"verdicts", verdicts}};
}

Result<std::string> read_text(const std::string& path) {
  const Result<util::MappedFile> file = util::MappedFile::open(path);
  if (!file) return tl::unexpected(file.error());
  return std::string(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
}

Result<Constraint> constraint_of(const Arguments& arguments) {
  if (!arguments.regex.empty()) return Constraint{Constraint::Kind::regex, arguments.regex};
  const Result<std::string> source =
      read_text(arguments.schema.empty() ? arguments.grammar : arguments.schema);
  if (!source) return tl::unexpected(source.error());
  if (!arguments.schema.empty()) return Constraint{Constraint::Kind::json_schema, *source};
  return Constraint{kind_of_grammar(arguments.syntax, *source), *source};
}

ExitCode judge_lines(const Arguments& arguments, const Vocabulary& vocabulary) {
  const Result<Constraint> constraint = constraint_of(arguments);
  if (!constraint) return report(constraint.error(), During::model);
  Times times;
  const Result<std::shared_ptr<Automaton>> automaton = automaton_for(*constraint, vocabulary, times);
  if (!automaton) return report(automaton.error(), During::model);
  std::string text;
  while (std::getline(std::cin, text)) {
    const Result<std::string> one = verdict(vocabulary, *automaton, text, times);
    if (!one) return report(one.error(), During::model);
    std::cout << *one << std::endl;
  }
  if (arguments.times) std::cerr << util::to_json(times.summary()) << std::endl;
  return kDone;
}

ExitCode run(Arguments& arguments) {
  if (const ExitCode code = arguments.settings.load_or_report(); code != kDone) return code;
  const int given = (arguments.schema.empty() ? 0 : 1) + (arguments.regex.empty() ? 0 : 1) +
                    (arguments.grammar.empty() ? 0 : 1) + (arguments.batch ? 1 : 0);
  if (arguments.model.empty() || given != 1)
    return report_usage("give --model and one of --schema, --regex, --grammar and --batch");
  const Result<Vocabulary> vocabulary = read_vocabulary(arguments);
  if (!vocabulary) return report(vocabulary.error(), During::model);
  if (!arguments.batch) return judge_lines(arguments, *vocabulary);
  Times times;
  const Result<> answered = answer_lines(std::cin, std::cout, [&](const Json& line) {
    return answer_batch(line, *vocabulary, arguments.times, times);
  });
  if (arguments.times) std::cerr << util::to_json(times.summary()) << std::endl;
  return answered ? kDone : report(answered.error(), During::work);
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  app.add_option("--model", arguments->model, "whose tokens the masks are made of")->type_name("MODEL");
  app.add_option("--schema", arguments->schema, "JSON Schema")->type_name("FILE");
  app.add_option("--regex", arguments->regex, "regular expression for the whole text")->type_name("RE");
  app.add_option("--grammar", arguments->grammar, "grammar in GBNF or Lark")->type_name("FILE");
  app.add_option("--syntax", arguments->syntax, "gbnf or lark; by default told from the grammar")
      ->check(CLI::IsMember({"gbnf", "lark"}));
  app.add_flag("--batch", arguments->batch, "constraints and texts come as JSON lines");
  app.add_flag("--times", arguments->times, "say on stderr how long compiling and masks took");
  arguments->settings.declare_flags(app, {"models-dir"});
  arguments->settings.declare_config(app);
  app.footer(
      "Reads lines of text, writes for each: accept (complete), prefix (can become complete) or reject.\n"
      "With --batch: {\"schema\":…}, {\"regex\":…} or {\"grammar\":…,\"syntax\":\"gbnf\"|\"lark\"} with "
      "\"texts\":[…],\n"
      "answers {\"verdicts\":[…]} or {\"refused\":\"why\"}.\n"
      "Example:\n  echo 2024-05 | pensieve constrain --model model.gguf --regex '\\d{4}-\\d{2}'");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_constrain;
const Verb verb_constrain{"constrain", "which texts a schema, pattern or grammar allows", declare};

}  // namespace pensieve::tools
