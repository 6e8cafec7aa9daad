// See request_json.h.
#include "server/grpc/request_json.h"

#include <fmt/format.h>

#include <cmath>

#include "pensieve/v1/inference.pb.h"

namespace pensieve::server {
namespace {

Result<Json> read_json(const std::string& text, const std::string& field) {
  auto json = util::parse_json(text);
  if (json) return json;
  return fail(Error::Code::invalid, fmt::format("{} is {}", field, json.error().what), field);
}

// Collects fields and the first thing that is wrong with them.
class Body {
 public:
  explicit Body(Json start) : body_(std::move(start)) {}

  void put(const char* name, Json value) {
    if (body_.contains(name)) {
      return problem(fmt::format("{} is given twice: as a field of its own and in extra_json", name), name);
    }
    body_[name] = std::move(value);
  }
  void put_text(const char* name, const std::string& value) {
    if (!value.empty()) put(name, value);
  }
  void put_number(const char* name, float value) {
    if (!std::isfinite(value))
      return problem(fmt::format("sampling.{} must be a number, not {}", name, value), name);
    put(name, static_cast<double>(value));
  }
  void put_json(const char* name, const std::string& text) {
    if (text.empty()) return;
    auto json = read_json(text, name);
    if (!json) return problem(json.error().what, name);
    put(name, std::move(*json));
  }
  void problem(std::string what, std::string field) {
    if (!error_) error_ = Error{Error::Code::invalid, std::move(what), std::move(field), {}, {}};
  }
  Result<Json> take() {
    if (error_) return tl::unexpected(std::move(*error_));
    return std::move(body_);
  }

 private:
  Json body_;
  std::optional<Error> error_;
};

void put_sampling(const v1::Sampling& sampling, Body& body) {
  if (sampling.has_temperature()) body.put_number("temperature", sampling.temperature());
  if (sampling.has_top_p()) body.put_number("top_p", sampling.top_p());
  if (sampling.has_min_p()) body.put_number("min_p", sampling.min_p());
  if (sampling.has_presence_penalty()) body.put_number("presence_penalty", sampling.presence_penalty());
  if (sampling.has_frequency_penalty()) body.put_number("frequency_penalty", sampling.frequency_penalty());
  if (sampling.has_repeat_penalty()) body.put_number("repeat_penalty", sampling.repeat_penalty());
  if (sampling.has_top_k()) body.put("top_k", sampling.top_k());
  if (sampling.has_seed()) body.put("seed", sampling.seed());
  if (sampling.has_max_tokens()) body.put("max_tokens", sampling.max_tokens());
  if (sampling.has_ignore_eos()) body.put("ignore_eos", sampling.ignore_eos());
  if (sampling.stop_size() == 0) return;
  Json stop = Json::array();
  for (const std::string& text : sampling.stop()) stop.push_back(text);
  body.put("stop", std::move(stop));
}

Json message_json(const v1::Message& message) {
  Json out = {{"role", message.role()}};
  // A string cannot be absent here: an empty one beside calls or reasoning is taken for absent.
  const bool may_lack = message.tool_calls_size() > 0 || !message.reasoning_content().empty();
  if (!message.content().empty() || !may_lack) out["content"] = message.content();
  if (!message.reasoning_content().empty()) out["reasoning_content"] = message.reasoning_content();
  if (!message.tool_call_id().empty()) out["tool_call_id"] = message.tool_call_id();
  if (!message.name().empty()) out["name"] = message.name();
  for (const v1::ToolCall& call : message.tool_calls()) {
    out["tool_calls"].push_back({{"id", call.id()},
                                 {"type", "function"},
                                 {"function", {{"name", call.name()}, {"arguments", call.arguments()}}}});
  }
  return out;
}

void put_tools(const v1::ChatRequest& request, Body& body) {
  if (request.tools_size() > 0) {
    Json tools = Json::array();
    for (const v1::Tool& tool : request.tools()) {
      Json function = {{"name", tool.name()}};
      if (!tool.description().empty()) function["description"] = tool.description();
      if (!tool.parameters_json().empty()) {
        const std::string field = fmt::format("tools[{}].parameters_json", tools.size());
        auto parameters = read_json(tool.parameters_json(), field);
        if (!parameters) return body.problem(parameters.error().what, field);
        function["parameters"] = std::move(*parameters);
      }
      tools.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
    body.put("tools", std::move(tools));
  }
  const std::string& choice = request.tool_choice();
  if (choice == "none" || choice == "auto" || choice == "required") {
    body.put("tool_choice", choice);
  } else if (!choice.empty()) {
    body.put("tool_choice", {{"type", "function"}, {"function", {{"name", choice}}}});
  }
  if (request.has_parallel_tool_calls()) body.put("parallel_tool_calls", request.parallel_tool_calls());
}

}  // namespace

Result<Json> chat_body(const v1::ChatRequest& request) {
  Json extra = Json::object();
  if (!request.extra_json().empty()) {
    auto read = read_json(request.extra_json(), "extra_json");
    if (!read) return read;
    if (!read->is_object()) return wrong_field("extra_json", "a JSON object", *read);
    extra = std::move(*read);
    for (const char* meaningless : {"stream", "stream_options"}) extra.erase(meaningless);
  }
  Body body(std::move(extra));
  body.put_text("model", request.model());
  Json messages = Json::array();
  for (const v1::Message& message : request.messages()) messages.push_back(message_json(message));
  body.put("messages", std::move(messages));
  put_sampling(request.sampling(), body);
  put_tools(request, body);
  body.put_json("json_schema", request.json_schema());
  body.put_text("grammar", request.grammar());
  body.put_text("session", request.session());
  return body.take();
}

Result<Json> completion_body(const v1::CompleteRequest& request) {
  Body body(Json::object());
  body.put_text("model", request.model());
  if (request.prompt_ids_size() == 0) {
    body.put("prompt", request.prompt());
  } else if (!request.prompt().empty()) {
    body.problem("prompt and prompt_ids are both given; one of them is the prompt", "prompt_ids");
  } else {
    Json ids = Json::array();
    for (const std::int32_t id : request.prompt_ids()) ids.push_back(id);
    body.put("prompt", std::move(ids));
  }
  put_sampling(request.sampling(), body);
  body.put_json("json_schema", request.json_schema());
  body.put_text("grammar", request.grammar());
  return body.take();
}

}  // namespace pensieve::server
