// pensieve eval: forward passes whose raw results are written to files, for checking against other
// implementations.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>

#include "engine/pooling.h"
#include "tools/failure.h"
#include "tools/forward.h"
#include "tools/json_lines.h"
#include "tools/model_argument.h"

namespace pensieve::tools {
namespace {

static_assert(std::endian::native == std::endian::little,
              "result files are little-endian float32, written as they are");

struct Arguments {
  Settings settings;
  std::string model;
  std::int32_t batch = 0;
};

struct Line {
  std::vector<std::int32_t> ids;
  std::string output;
  bool all = false, pool = false;
  std::int64_t greedy = 0;
};

Result<Line> parse_line(const Json& json, const Graph& graph) {
  Line line;
  Result<std::vector<std::int32_t>> ids = ids_field(json, "ids", graph.vocabulary);
  if (!ids) return tl::unexpected(ids.error());
  if (ids->empty())
    return fail(Error::Code::invalid, "'ids' is empty, expected at least one token id", "ids");
  const Result<std::string> output = text_field(json, "output", "");
  if (!output) return tl::unexpected(output.error());
  const Result<bool> all = flag_field(json, "all", false);
  if (!all) return tl::unexpected(all.error());
  const Result<std::int64_t> greedy = count_field(json, "greedy", 0);
  if (!greedy) return tl::unexpected(greedy.error());
  const Result<bool> pool = flag_field(json, "pool", false);
  if (!pool) return tl::unexpected(pool.error());
  if (*pool && graph.pooling == Pooling::none)
    return fail(Error::Code::unsupported, "'pool' is true, but this model computes no embedding; use false",
                "pool");
  if (*greedy > 0 && graph.pooling != Pooling::none)
    return fail(Error::Code::unsupported, "'greedy' is above 0, but this model computes no next token; use 0",
                "greedy");
  return Line{std::move(*ids), *output, *all, *pool, *greedy};
}

// Floats appended to a file; without a path they go nowhere.
class FloatFile {
 public:
  static Result<FloatFile> open(const std::string& path) {
    FloatFile file;
    if (path.empty()) return file;
    file.stream_.reset(std::fopen(path.c_str(), "wb"));
    if (!file.stream_)
      return fail(Error::Code::io, fmt::format("cannot write '{}': {}", path, std::strerror(errno)),
                  "output");
    return file;
  }
  Result<> append(std::span<const float> values) {
    if (stream_ && std::fwrite(values.data(), sizeof(float), values.size(), stream_.get()) != values.size())
      return broken();
    return {};
  }
  Result<> close() {
    if (stream_ && std::fclose(stream_.release()) != 0) return broken();
    return {};
  }

 private:
  struct Close {
    void operator()(std::FILE* stream) const { std::fclose(stream); }
  };
  static Result<> broken() {
    return fail(Error::Code::io, fmt::format("cannot write the output: {}", std::strerror(errno)), "output");
  }
  std::unique_ptr<std::FILE, Close> stream_;
};

// Continues from `first`, always with the likeliest token; the end token is one like any other.
Result<std::vector<std::int32_t>> continue_greedily(Forward& forward, std::int32_t first,
                                                    std::int64_t count) {
  std::vector<std::int32_t> ids;
  if (count > 0) ids.push_back(first);
  while (static_cast<std::int64_t>(ids.size()) < count) {
    const Feed feed{0, std::span(&ids.back(), 1), 0};
    const Result<StepOutput> output = forward.step(std::span(&feed, 1));
    if (!output) return tl::unexpected(output.error());
    ids.push_back(choose(*output, 0, forward.model().graph.vocabulary));
  }
  return ids;
}

// The model, loaded once more where a text is longer than what the first graph was made for.
class Models {
 public:
  Models(std::string path, ForwardOptions options, std::unique_ptr<Forward> first)
      : path_(std::move(path)), options_(std::move(options)), short_(std::move(first)) {}

  const Graph& graph() const { return short_->model().graph; }
  Result<Forward*> for_length(std::int64_t tokens) {
    const std::int64_t regime = graph().regime_context;
    if (regime == 0 || tokens <= regime) return short_.get();
    if (long_ == nullptr) {
      ForwardOptions options = options_;
      options.context = tokens;
      Result<std::unique_ptr<Forward>> opened = Forward::open(path_, options);
      if (!opened) return tl::unexpected(std::move(opened.error()));
      long_ = std::move(*opened);
    }
    return long_.get();
  }

 private:
  std::string path_;
  ForwardOptions options_;
  std::unique_ptr<Forward> short_, long_;
};

// The rows of the result that are asked for go to `file`, pooled ones as one vector; gives the last row's
// largest.
Result<std::int32_t> read_text(Forward& forward, const Line& line, std::int32_t batch, FloatFile& file) {
  const Graph& graph = forward.model().graph;
  const auto width = static_cast<std::size_t>(graph.output_width());
  const auto count = static_cast<std::int64_t>(line.ids.size());
  const std::int64_t first = line.pool  ? engine::pooled_rows(graph.pooling, count).first
                             : line.all ? 0
                                        : count - 1;
  std::int32_t best = 0;
  std::vector<float> kept;
  const Result<> read = forward.read(0, line.ids, first, batch, [&](std::span<const float> rows) -> Result<> {
    best = argmax(rows.last(width));
    if (!line.pool) return file.append(rows);
    kept.insert(kept.end(), rows.begin(), rows.end());
    return {};
  });
  if (!read) return tl::unexpected(read.error());
  if (line.pool) {
    if (Result<> written = file.append(engine::pool(graph.pooling, kept, width)); !written)
      return tl::unexpected(written.error());
  }
  return best;
}

Result<Json> evaluate(Models& models, const Json& json, std::int32_t batch) {
  Result<Line> line = parse_line(json, models.graph());
  if (!line) return tl::unexpected(line.error());
  Result<FloatFile> file = FloatFile::open(line->output);
  if (!file) return tl::unexpected(file.error());
  const Result<Forward*> forward =
      models.for_length(static_cast<std::int64_t>(line->ids.size()) + line->greedy);
  if (!forward) return tl::unexpected(forward.error());
  (*forward)->truncate(0, 0);
  const Result<std::int32_t> best = read_text(**forward, *line, batch, *file);
  if (!best) return tl::unexpected(best.error());
  if (Result<> closed = file->close(); !closed) return tl::unexpected(closed.error());
  const Result<std::vector<std::int32_t>> greedy = continue_greedily(**forward, *best, line->greedy);
  if (!greedy) return tl::unexpected(greedy.error());
  return Json{{"argmax", *best}, {"greedy", *greedy}};
}

ExitCode run(Arguments& arguments) {
  Settings& settings = arguments.settings;
  if (const ExitCode code = settings.load_or_report(); code != kDone) return code;
  const Result<std::string> path = find_model(arguments.model, settings);
  if (!path) return report(path.error(), During::model);
  ForwardOptions options;
  options.hardware = settings.hardware;
  options.quantize = settings.engine.quantize;
  options.kv_type = settings.source("kv-type") == manage::Source::flag ? settings.engine.kv_type : "f32";
  options.context = 1;  // the graph for short texts, where there are several
  Result<std::unique_ptr<Forward>> forward = Forward::open(*path, options);
  if (!forward) return report(forward.error(), During::model);
  Models models(*path, options, std::move(*forward));
  const Result<> answered = answer_lines(
      std::cin, std::cout, [&](const Json& line) { return evaluate(models, line, arguments.batch); });
  return answered ? kDone : report(answered.error(), During::work);
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  declare_model(app, arguments->settings, arguments->model);
  arguments->settings.set_default("kv-type", std::string("f32"));
  arguments->settings.declare_flags(app, {"backend", "threads", "isa", "kv-type", "quantize"});
  app.add_option("--batch", arguments->batch,
                 "cut prompts into chunks of N tokens; default: as few chunks as fit")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N");
  app.footer(
      "Reads JSON lines {\"ids\":[…],\"output\":PATH,\"all\":false,\"pool\":false,\"greedy\":0}, answers "
      "{\"argmax\":id,\"greedy\":[…]}.\n"
      "PATH gets little-endian float32: the last position's logits, with all=true every position's, with "
      "pool=true an "
      "embedding model's vector (not normalised). The "
      "cache is f32 unless --kv-type says otherwise.\n"
      "Example:\n  echo '{\"ids\":[1,2,3],\"output\":\"logits.f32\",\"greedy\":8}' | pensieve eval --model "
      "model.gguf --backend reference");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_eval;
const Verb verb_eval{"eval", "forward passes for checking: token ids in, logits out", declare};

}  // namespace pensieve::tools
