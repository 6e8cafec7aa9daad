// See model_object.h.
#include "server/dialects/model_object.h"

#include <fmt/format.h>

#include <iterator>

#include "server/dialects/reply_parts.h"

namespace pensieve::server {

std::string_view state_name(manage::ModelState state) {
  switch (state) {
    case manage::ModelState::unloaded:
      return "unloaded";
    case manage::ModelState::loading:
      return "loading";
    case manage::ModelState::loaded:
      return "loaded";
    case manage::ModelState::unloading:
      return "unloading";
    case manage::ModelState::failed:
      return "failed";
  }
  return "unloaded";
}

std::int64_t context_of(const ModelInfo& info) {
  return info.effective_context > 0 ? info.effective_context : info.trained_context;
}

namespace {

// Where it is in memory; what is not known is left out.
void append_residence(const manage::ModelStatus& status, std::string& out) {
  fmt::format_to(std::back_inserter(out), R"(,"memory_bytes":{},"users":{},"pinned":{})", status.memory_bytes,
                 status.users, status.pinned);
  if (status.since > 0) fmt::format_to(std::back_inserter(out), R"(,"since":{})", status.since);
  if (status.used > 0) fmt::format_to(std::back_inserter(out), R"(,"used":{})", status.used);
  if (status.expires) fmt::format_to(std::back_inserter(out), R"(,"expires":{})", *status.expires);
}

}  // namespace

void append_model(const manage::ModelStatus& status, std::string& out) {
  const ModelInfo& info = status.info;
  out += "{\"id\":";
  append_string(info.name, out);
  out += R"(,"object":"model","created":)" + std::to_string(info.created) +
         R"(,"owned_by":"local","context_length":)" + std::to_string(context_of(info)) +
         ",\"capabilities\":[";
  for (std::size_t i = 0; i < info.capabilities.size(); ++i) {
    if (i > 0) out += ',';
    append_string(info.capabilities[i], out);
  }
  out += "],\"status\":{\"value\":";
  append_string(state_name(status.state), out);
  if (!status.problem.empty()) {
    out += ",\"problem\":";
    append_string(status.problem, out);
  }
  append_residence(status, out);
  fmt::format_to(
      std::back_inserter(out),
      R"(}},"meta":{{"n_ctx":{},"n_ctx_train":{},"n_params":{},"size":{},"n_embd":{},"n_vocab":{},"n_layer":{})",
      context_of(info), info.trained_context, info.parameters, info.file_bytes, info.embedding_width,
      info.vocabulary, info.layers);
  out += ",\"architecture\":";
  append_string(info.architecture, out);
  out += ",\"quantization\":";
  append_string(info.quantization, out);
  out += ",\"format\":";
  append_string(info.format, out);
  out += "}}";
}

}  // namespace pensieve::server
