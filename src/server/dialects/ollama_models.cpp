// See ollama_models.h. Forms: Ollama's API documentation.
#include "server/dialects/ollama_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>

#include "server/access.h"
#include "server/dialects/ollama_reply.h"
#include "server/dialects/reply_parts.h"

namespace pensieve::server {
namespace {

// Tells versions of a model apart without reading gigabytes: of name, size and time of the file, not of its
// bytes.
std::string digest(const ModelInfo& info) {
  const std::string bytes =
      key_fingerprint(fmt::format("{}\n{}\n{}", info.name, info.file_bytes, info.created));
  std::string out;
  for (const char c : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string size_text(std::uint64_t parameters) {
  struct Scale {
    double at;
    char letter;
  };
  constexpr std::array kScales{Scale{1e12, 'T'}, Scale{1e9, 'B'}, Scale{1e6, 'M'}, Scale{1e3, 'K'}};
  const auto count = static_cast<double>(parameters);
  for (const Scale& scale : kScales) {
    if (count >= scale.at) return fmt::format("{:.1f}{}", count / scale.at, scale.letter);
  }
  return std::to_string(parameters);
}

// The last second that a count of nanoseconds can say: 31 December 2261. Stands for "never" too.
constexpr std::int64_t kLastSecond = 9214646399;

std::string time_text(std::int64_t seconds) {
  const std::chrono::seconds since_epoch(std::clamp<std::int64_t>(seconds, 0, kLastSecond));
  return ollama_time(std::chrono::system_clock::time_point(since_epoch));
}

void append_details(const ModelInfo& info, std::string& out) {
  out += R"("details":{"parent_model":"","format":)";
  append_string(info.format, out);
  out += ",\"family\":";
  append_string(info.architecture, out);
  out += ",\"families\":[";
  append_string(info.architecture, out);
  out += "],\"parameter_size\":";
  append_string(size_text(info.parameters), out);
  out += ",\"quantization_level\":";
  append_string(info.quantization, out);
  out += '}';
}

void append_names(const ModelInfo& info, std::string& out) {
  out += "{\"name\":";
  append_string(info.name, out);
  out += ",\"model\":";
  append_string(info.name, out);
}

// "parameters" of /api/show: the samplers of the model's own, one a line.
std::string parameters_text(const SamplingParams& defaults) {
  return fmt::format("temperature {}\ntop_k {}\ntop_p {}\nmin_p {}\nrepeat_penalty {}", defaults.temperature,
                     defaults.top_k, defaults.top_p, defaults.min_p, defaults.repeat_penalty);
}

void append_model_info(const ModelInfo& info, std::string& out) {
  out += "\"model_info\":{\"general.architecture\":";
  append_string(info.architecture, out);
  out += ",\"general.parameter_count\":" + std::to_string(info.parameters);
  const auto add = [&](std::string_view key, std::int64_t value) {
    out += ',';
    append_string(fmt::format("{}.{}", info.architecture, key), out);
    out += ':' + std::to_string(value);
  };
  add("context_length", info.trained_context);
  add("embedding_length", info.embedding_width);
  add("block_count", info.layers);
  add("vocab_size", info.vocabulary);
  out += '}';
}

}  // namespace

void append_ollama_tag(const manage::ModelStatus& status, std::string& out) {
  const ModelInfo& info = status.info;
  append_names(info, out);
  out += ",\"modified_at\":\"" + time_text(info.created) + "\",\"size\":" + std::to_string(info.file_bytes) +
         ",\"digest\":\"" + digest(info) + "\",";
  append_details(info, out);
  out += '}';
}

void append_ollama_loaded(const manage::ModelStatus& status, std::string& out) {
  const ModelInfo& info = status.info;
  const std::uint64_t bytes = status.memory_bytes > 0 ? status.memory_bytes : info.file_bytes;
  append_names(info, out);
  // What of it is on a graphics card is not known here; all of it is memory of the machine.
  out += ",\"size\":" + std::to_string(bytes) + ",\"size_vram\":0,\"digest\":\"" + digest(info) + "\",";
  append_details(info, out);
  out += ",\"expires_at\":\"" + time_text(status.expires.value_or(kLastSecond)) +
         "\",\"context_length\":" + std::to_string(info.effective_context) + '}';
}

std::string ollama_show_text(const manage::ModelStatus& status) {
  const ModelInfo& info = status.info;
  std::string out = "{\"modelfile\":";
  append_string("FROM " + info.name + "\n", out);
  out += ",\"parameters\":";
  append_string(parameters_text(info.defaults), out);
  out += ",\"template\":";
  append_string(info.chat_template, out);
  out += ',';
  append_details(info, out);
  out += ',';
  append_model_info(info, out);
  out += ",\"capabilities\":[";
  for (std::size_t i = 0; i < info.capabilities.size(); ++i) {
    if (i > 0) out += ',';
    append_string(info.capabilities[i], out);
  }
  return out + "],\"modified_at\":\"" + time_text(info.created) + "\"}";
}

}  // namespace pensieve::server
