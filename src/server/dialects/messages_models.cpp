// See messages_models.h.
#include "server/dialects/messages_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <iterator>
#include <span>

#include "server/dialects/model_object.h"
#include "server/dialects/reply_parts.h"

namespace pensieve::server {
namespace {

using Models = std::span<const manage::ModelStatus>;

constexpr std::size_t kMostModels = 1000;  // of a page

void append_time(std::int64_t seconds, std::string& out) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  fmt::format_to(std::back_inserter(out), R"("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z")", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

Result<std::size_t> read_limit(const Request& request, std::size_t all) {
  const auto text = request.query_value("limit");
  if (!text) return all;
  std::size_t limit = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (problem != std::errc() || end != text->data() + text->size() || limit < 1 || limit > kMostModels) {
    return fail(
        Error::Code::invalid,
        fmt::format("limit must be a number from 1 to {}, not '{}'", kMostModels, text->substr(0, 40)),
        "limit");
  }
  return limit;
}

Result<std::size_t> place_of(Models models, const std::string& id, const char* field) {
  const auto found = std::find_if(models.begin(), models.end(), [&id](const manage::ModelStatus& status) {
    return status.info.name == id;
  });
  if (found != models.end()) return static_cast<std::size_t>(found - models.begin());
  return fail(Error::Code::invalid, fmt::format("{}: there is no model '{}'", field, id.substr(0, 100)),
              field);
}

void append_id(const manage::ModelStatus* model, std::string& out) {
  if (model == nullptr) {
    out += "null";
  } else {
    append_string(model->info.name, out);
  }
}

}  // namespace

void append_messages_model(const manage::ModelStatus& status, std::string& out) {
  const ModelInfo& info = status.info;
  out += R"({"type":"model","id":)";
  append_string(info.name, out);
  out += ",\"display_name\":";
  append_string(info.title.empty() ? info.name : info.title, out);
  out += ",\"created_at\":";
  append_time(info.created, out);
  // Prompt and answer share the context.
  fmt::format_to(std::back_inserter(out),
                 R"(,"lifecycle":"active","max_input_tokens":{0},"max_tokens":{0}}})", context_of(info));
}

Result<std::string> messages_models(const std::vector<manage::ModelStatus>& models, const Request& request) {
  const auto limit = read_limit(request, models.size());
  if (!limit) return tl::unexpected(limit.error());
  Models rest(models);
  const auto after = request.query_value("after_id");
  const auto before = request.query_value("before_id");
  if (after) {
    const auto place = place_of(rest, *after, "after_id");
    if (!place) return tl::unexpected(place.error());
    rest = rest.subspan(*place + 1);
  }
  if (before) {
    const auto place = place_of(Models(models), *before, "before_id");
    if (!place) return tl::unexpected(place.error());
    const std::size_t cut = models.size() - rest.size();
    rest = rest.first(*place > cut ? *place - cut : 0);
  }
  const std::size_t size = std::min(*limit, rest.size());
  const Models page = before && !after ? rest.last(size) : rest.first(size);
  std::string out = "{\"data\":[";
  for (const manage::ModelStatus& status : page) {
    if (&status != &page.front()) out += ',';
    append_messages_model(status, out);
  }
  out += "],\"has_more\":";
  out += page.size() < rest.size() ? "true" : "false";
  out += ",\"first_id\":";
  append_id(page.empty() ? nullptr : &page.front(), out);
  out += ",\"last_id\":";
  append_id(page.empty() ? nullptr : &page.back(), out);
  return out + "}";
}

}  // namespace pensieve::server
