// Page tables, positions and chunks for a plan that is driven by hand.
#include "tools/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "hal/backends.h"
#include "tools/progress.h"

namespace pensieve::tools {
namespace {

constexpr std::int64_t kLeastCapacity = 4096;
constexpr std::size_t kLogitBytes = std::size_t{128} << 20;  // of one step, when many rows are wanted

}  // namespace

Result<std::unique_ptr<Forward>> Forward::open(const std::string& path, const ForwardOptions& options) {
  const Notice notice("loading the model …");
  std::unique_ptr<Forward> forward(new Forward());
  Result<std::unique_ptr<Backend>> backend = hal::open_backend(
      options.hardware.backend, {static_cast<std::int32_t>(options.hardware.threads), options.hardware.isa});
  if (!backend) return tl::unexpected(std::move(backend.error()));
  forward->backend_ = std::move(*backend);
  Result<model::LoadedModel> loaded =
      model::load(path, *forward->backend_, options.context, options.quantize);
  if (!loaded) return tl::unexpected(std::move(loaded.error()));
  forward->model_ = std::move(*loaded);
  if (Result<> compiled = forward->compile(options); !compiled)
    return tl::unexpected(std::move(compiled.error()));
  return forward;
}

Result<> Forward::compile(const ForwardOptions& options) {
  const Graph& graph = model_.graph;
  const Codec* kv = find_codec(options.kv_type);
  if (kv == nullptr)
    return fail(Error::Code::invalid, fmt::format("unknown cache type '{}'", options.kv_type), "kv_type");
  capacity_ = options.tokens > 0 ? options.tokens : std::max(graph.trained_context, kLeastCapacity);
  if (graph.position_limit > 0) capacity_ = std::min(capacity_, graph.position_limit);
  pages_each_ =
      static_cast<std::int32_t>((capacity_ + plan_options_.page_tokens - 1) / plan_options_.page_tokens);
  recurrent_ = std::any_of(graph.states.begin(), graph.states.end(),
                           [](const StateSpec& state) { return state.kind == StateSpec::Kind::recurrent; });
  plan_options_.kv_codec = kv;
  plan_options_.max_rows = options.step_rows;
  if (!graph.causal)  // a text must come whole
    plan_options_.max_rows = std::max(options.step_rows, static_cast<std::int32_t>(graph.trained_context));
  plan_options_.max_sequences = options.sequences;
  plan_options_.page_count = pages_each_ * options.sequences;
  plan_options_.slot_count = recurrent_ ? options.sequences : 0;
  lengths_.assign(static_cast<std::size_t>(options.sequences), 0);
  greedy_.temperature = 0;
  estimate_ = backend_->estimate(Segment::whole(graph), model_.weights, plan_options_);
  if (Result<> made = model_.file->materialise(model::load_threads(options.hardware.threads)); !made)
    return made;
  Result<std::unique_ptr<Plan>> plan =
      backend_->compile(Segment::whole(graph), model_.weights, plan_options_);
  if (!plan) return tl::unexpected(std::move(plan.error()));
  plan_ = std::move(*plan);
  return {};
}

void Forward::truncate(std::int32_t sequence, std::int64_t length) {
  std::int64_t& present = lengths_[static_cast<std::size_t>(sequence)];
  present = std::min(present, length);
}

Result<> Forward::check(std::span<const Feed> feeds) const {
  std::int64_t rows = 0;
  for (const Feed& feed : feeds) {
    rows += static_cast<std::int64_t>(feed.tokens.size());
    const std::int64_t needed = length(feed.sequence) + static_cast<std::int64_t>(feed.tokens.size());
    if (needed > capacity_) {
      return fail(Error::Code::exhausted,
                  fmt::format("{} tokens do not fit into the context of {}", needed, capacity_), "",
                  "context_length_exceeded");
    }
  }
  if (rows > step_rows())
    return fail(Error::Code::internal, fmt::format("{} rows in a step of at most {}", rows, step_rows()));
  return {};
}

void Forward::build_tables(std::span<const Feed> feeds, Wanted wanted) {
  for (auto* list : {&tokens_, &positions_, &pages_, &slots_, &outputs_}) list->clear();
  starts_.assign(1, 0);
  page_starts_.assign(1, 0);
  for (const Feed& feed : feeds) {
    const auto first_row = static_cast<std::int32_t>(tokens_.size());
    const std::int64_t begin = length(feed.sequence);
    const std::int64_t end = begin + static_cast<std::int64_t>(feed.tokens.size());
    tokens_.insert(tokens_.end(), feed.tokens.begin(), feed.tokens.end());
    for (std::int64_t position = begin; position < end; ++position)
      positions_.push_back(static_cast<std::int32_t>(position));
    for (auto row = feed.first_output; row < static_cast<std::int32_t>(feed.tokens.size()); ++row)
      outputs_.push_back(first_row + row);
    const auto pages =
        static_cast<std::int32_t>((end + plan_options_.page_tokens - 1) / plan_options_.page_tokens);
    for (std::int32_t page = 0; page < pages; ++page) pages_.push_back(feed.sequence * pages_each_ + page);
    starts_.push_back(static_cast<std::int32_t>(tokens_.size()));
    page_starts_.push_back(static_cast<std::int32_t>(pages_.size()));
    if (recurrent_) slots_.push_back(feed.sequence);
  }
  tables_.assign(model_.graph.state_groups, PageTable{pages_, page_starts_});
  draws_.assign(outputs_.size(), Draw{&greedy_, 0, {}, {}, wanted == Wanted::logits});
}

Result<StepOutput> Forward::step(std::span<const Feed> feeds, Wanted wanted) {
  if (Result<> fits = check(feeds); !fits) return tl::unexpected(std::move(fits.error()));
  build_tables(feeds, wanted);
  Batch batch;
  batch.tokens = tokens_;
  batch.positions = positions_;
  batch.sequence_starts = starts_;
  batch.page_tables = tables_;
  batch.slots = slots_;
  batch.output_rows = outputs_;
  batch.draws = draws_;
  if (Result<> started = plan_->submit(batch, {}, {}); !started)
    return tl::unexpected(std::move(started.error()));
  Result<StepOutput> output = plan_->wait();
  if (!output) return output;
  for (const Feed& feed : feeds)
    lengths_[static_cast<std::size_t>(feed.sequence)] += static_cast<std::int64_t>(feed.tokens.size());
  return output;
}

Result<> Forward::read(std::int32_t sequence, std::span<const std::int32_t> tokens, std::int64_t first_output,
                       std::int32_t chunk, const Logits& wanted) {
  const auto row_bytes = static_cast<std::size_t>(model_.graph.output_width()) * sizeof(float);
  const auto logit_rows = static_cast<std::int64_t>(std::max<std::size_t>(1, kLogitBytes / row_bytes));
  const bool whole = !model_.graph.causal;
  const std::int64_t most = chunk > 0 && !whole ? std::min(chunk, step_rows()) : step_rows();
  for (std::int64_t at = 0; at < static_cast<std::int64_t>(tokens.size());) {
    std::int64_t rows = std::min<std::int64_t>(most, static_cast<std::int64_t>(tokens.size()) - at);
    if (at + rows > first_output && !whole)
      rows = std::min(rows, std::max(first_output - at, std::int64_t{0}) + logit_rows);
    const std::int64_t first = std::clamp<std::int64_t>(first_output - at, 0, rows);
    const Feed feed{sequence, tokens.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(rows)),
                    static_cast<std::int32_t>(first)};
    Result<StepOutput> output = step(std::span(&feed, 1));
    if (!output) return tl::unexpected(std::move(output.error()));
    if (first < rows) {
      if (output->logits.size() != static_cast<std::size_t>((rows - first) * model_.graph.output_width())) {
        return fail(Error::Code::unsupported,
                    fmt::format("{} returns no logits; use another --backend", device().name));
      }
      if (Result<> taken = wanted(output->logits); !taken) return taken;
    }
    at += rows;
  }
  return {};
}

std::int32_t argmax(std::span<const float> logits) {
  constexpr std::size_t kLanes = 16;  // independent maxima, so that the compiler can use vector instructions
  std::array<float, kLanes> best;
  best.fill(-std::numeric_limits<float>::infinity());
  std::size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      best[lane] = logits[i + lane] > best[lane] ? logits[i + lane] : best[lane];
  }
  float top = *std::max_element(best.begin(), best.end());
  for (; i < logits.size(); ++i) top = std::max(top, logits[i]);
  const auto found = std::find(logits.begin(), logits.end(), top);
  return found == logits.end() ? 0 : static_cast<std::int32_t>(found - logits.begin());
}

std::int32_t choose(const StepOutput& output, std::size_t row, std::int64_t vocabulary) {
  if (row < output.tokens.size()) return output.tokens[row];
  const auto width = static_cast<std::size_t>(vocabulary);
  if ((row + 1) * width > output.logits.size()) return 0;
  return argmax(output.logits.subspan(row * width, width));
}

}  // namespace pensieve::tools
