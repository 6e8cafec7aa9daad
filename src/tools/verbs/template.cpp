// pensieve template: conversations to prompts, with a chat template exactly as it stands, or replies to
// messages; as JSON lines.
#include "model/chat/template.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "model/chat/jinja/clock.h"
#include "model/chat/reply_format.h"
#include "model/loaded_model.h"
#include "tools/failure.h"
#include "tools/json_lines.h"
#include "tools/model_argument.h"
#include "util/mapped_file.h"

namespace pensieve::tools {
namespace {

struct Arguments {
  Settings settings;
  std::string model, file, time;
  bool parse = false;
};

struct Source {
  std::string text, begin_text, end_text;
};

Result<Source> read_model(const std::string& path) {
  const Result<ModelInfo> info = model::inspect(path);
  if (!info) return tl::unexpected(info.error());
  if (info->chat_template.empty()) {
    return fail(Error::Code::unsupported,
                fmt::format("'{}' has no chat template; give one with --file", path));
  }
  const Result<std::unique_ptr<ModelFile>> file = model::open_model_file(path);
  if (!file) return tl::unexpected(file.error());
  const Result<std::unique_ptr<Tokenizer>> tokenizer = model::load_tokenizer(**file);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  const auto spelled = [&](std::int32_t token) {
    return token < 0 ? std::string() : std::string((*tokenizer)->bytes(token, true));
  };
  return Source{info->chat_template, spelled((*tokenizer)->begin_token()),
                spelled((*tokenizer)->end_token())};
}

Result<Source> read_source(const Arguments& arguments) {
  if (!arguments.model.empty()) {
    const Result<std::string> path = find_model(arguments.model, arguments.settings);
    if (!path) return tl::unexpected(path.error());
    return read_model(*path);
  }
  const Result<util::MappedFile> file = util::MappedFile::open(arguments.file);
  if (!file) return tl::unexpected(file.error());
  return Source{std::string(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()), "",
                ""};
}

// The names that transformers gives a template; absent tools and documents are there, as null.
Result<Json> variables(const Json& line, const Source& source) {
  if (!line.contains("messages"))
    return fail(Error::Code::invalid, "'messages' is missing, expected a list of messages", "messages");
  const auto given = [&](const char* key, Json otherwise) {
    return line.contains(key) && !line[key].is_null() ? line[key] : std::move(otherwise);
  };
  Json all;
  all["messages"] = line["messages"];
  all["tools"] = given("tools", nullptr);
  all["documents"] = given("documents", nullptr);
  all["add_generation_prompt"] = given("add_generation_prompt", false);
  all["bos_token"] = given("bos_token", source.begin_text);
  all["eos_token"] = given("eos_token", source.end_text);
  const Json extra = given("kwargs", Json::object());
  if (!extra.is_object()) return fail(Error::Code::invalid, "'kwargs' is no object", "kwargs");
  for (const auto& [key, value] : extra.items()) all[key] = value;
  return all;
}

// The tools that a line offers, in OpenAI's form, nested in "function" or flat.
Result<std::vector<Tool>> tools_of(const Json& line) {
  std::vector<Tool> tools;
  if (!line.contains("tools") || line["tools"].is_null()) return tools;
  if (!line["tools"].is_array()) return fail(Error::Code::invalid, "'tools' is no list", "tools");
  for (const Json& entry : line["tools"]) {
    const Json& function = entry.is_object() && entry.contains("function") ? entry["function"] : entry;
    if (!function.is_object() || !function.contains("name") || !function["name"].is_string())
      return fail(Error::Code::invalid, fmt::format("'tools[{}]' has no name", tools.size()), "tools");
    Tool tool;
    tool.name = function["name"];
    if (function.contains("parameters")) tool.parameters = util::to_json(function["parameters"]);
    tools.push_back(std::move(tool));
  }
  return tools;
}

Json message_of(const std::vector<ReplyPiece>& pieces) {
  std::string content, reasoning;
  std::vector<std::pair<std::string, std::string>> calls;
  for (const ReplyPiece& piece : pieces) {
    switch (piece.kind) {
      case ReplyPiece::Kind::content:
        content += piece.text;
        break;
      case ReplyPiece::Kind::reasoning:
        reasoning += piece.text;
        break;
      case ReplyPiece::Kind::call:
        calls.emplace_back(piece.text, "");
        break;
      case ReplyPiece::Kind::arguments:
        calls.back().second += piece.text;
    }
  }
  Json message{{"content", content}, {"reasoning_content", reasoning}, {"tool_calls", Json::array()}};
  for (const auto& [name, arguments] : calls) {
    Result<Json> parsed = util::parse_json(arguments);
    message["tool_calls"].push_back(
        Json{{"name", name}, {"arguments", parsed ? std::move(*parsed) : Json(arguments)}});
  }
  return message;
}

Result<Json> parse_reply(const ReplyFormat& format, const Json& line) {
  if (!line.contains("reply") || !line["reply"].is_string())
    return fail(Error::Code::invalid, "'reply' is missing, expected the text that the model wrote", "reply");
  ChatRequest request;
  Result<std::vector<Tool>> tools = tools_of(line);
  if (!tools) return tl::unexpected(std::move(tools.error()));
  request.tools = std::move(*tools);
  std::optional<std::string> tail;
  if (line.contains("prompt_tail") && !line["prompt_tail"].is_null()) {
    const Result<std::string> given = text_field(line, "prompt_tail", "");
    if (!given) return tl::unexpected(given.error());
    tail = *given;
  }
  const std::unique_ptr<ReplyParser> parser = format.parser(request, tail);
  std::vector<ReplyPiece> pieces;
  parser->feed(line["reply"].get_ref<const std::string&>(), pieces);
  parser->finish(pieces);
  return message_of(pieces);
}

ExitCode parse_replies(const Source& source) {
  const std::unique_ptr<ReplyFormat> format = model::make_reply_format(source.text, source.end_text);
  const Result<> answered =
      answer_lines(std::cin, std::cout, [&](const Json& line) { return parse_reply(*format, line); });
  return answered ? kDone : report(answered.error(), During::work);
}

ExitCode run(Arguments& arguments) {
  if (const ExitCode code = arguments.settings.load_or_report(); code != kDone) return code;
  if (arguments.model.empty() == arguments.file.empty()) return report_usage("give either --model or --file");
  if (!arguments.time.empty()) {
    const Result<std::tm> time = model::jinja::parse_time(arguments.time);
    if (!time) return report_usage("--time: " + time.error().what);
  }
  const Result<Source> source = read_source(arguments);
  if (!source) return report(source.error(), During::model);
  if (arguments.parse) return parse_replies(*source);
  const Result<model::Template> parsed = model::Template::parse(source->text);
  if (!parsed) return report(parsed.error(), During::model);
  model::RenderOptions options;
  options.clock = arguments.time;
  const Result<> answered = answer_lines(std::cin, std::cout, [&](const Json& line) -> Result<Json> {
    const Result<Json> values = variables(line, *source);
    if (!values) return values;
    Result<std::string> text = parsed->render(*values, options);
    if (!text) return tl::unexpected(std::move(text.error()));
    return Json{{"text", std::move(*text)}};
  });
  return answered ? kDone : report(answered.error(), During::work);
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  app.add_option("--model", arguments->model, "take the template of this model")->type_name("MODEL");
  app.add_option("--file", arguments->file, "take the template of this file")->type_name("T");
  app.add_option("--time", arguments->time, "what the template sees as now, \"YYYY-MM-DD HH:MM:SS\"")
      ->type_name("TIME");
  app.add_flag("--parse", arguments->parse,
               "read replies of the model instead, and write the messages that they mean");
  arguments->settings.declare_flags(app, {"models-dir"});
  arguments->settings.declare_config(app);
  app.footer(
      "Reads JSON lines "
      "{\"messages\":…,\"tools\":…,\"documents\":…,\"add_generation_prompt\":…,\"bos_token\":…,\"eos_token\":"
      "…,\"kwargs\":{…}},\n"
      "answers {\"text\":…}, or {\"error\":…} with what the template itself raises.\n"
      "With --parse: {\"reply\":…,\"tools\":[…],\"prompt_tail\":…} (the end of the prompt before it), "
      "answers\n"
      "{\"content\":…,\"reasoning_content\":…,\"tool_calls\":[{\"name\":…,\"arguments\":{…}}]}.\n"
      "Example:\n  echo "
      "'{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"add_generation_prompt\":true}' | pensieve "
      "template --model model.gguf");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_template;
const Verb verb_template{"template", "conversations to prompts, or replies to messages, as JSON lines",
                         declare};

}  // namespace pensieve::tools
