// choose_capacity: how much context and how many pages of state a model gets with the memory there is.
// Not for layout: bytes are those of the elements; what a backend adds for alignment is its own estimate
// (Backend::estimate).
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/runner.h"
#include "util/bytes.h"

namespace pensieve::engine {
namespace {

using util::mebibytes;

constexpr std::int64_t kUntrained = 4096;       // context where the model names none
constexpr std::int64_t kSmallestContext = 256;  // with less, not even a greeting with its chat template fits
// Full contexts kept by default: enough that a few long conversations stay cached; memory grows only as they
// are used.
constexpr std::int64_t kContextsKept = 4;
constexpr double kAbsurdBytes = 1e12;  // of one token
// Recurrent states that the prefix cache may keep, and the part of the memory that they may take.
constexpr std::size_t kMostCheckpoints = 64, kCheckpointPart = 8;

Result<std::int64_t> bytes_per_token(const Graph& graph, const Codec& codec) {
  double bytes = 0;
  for (const StateSpec& state : graph.states) {
    if (state.kind == StateSpec::Kind::recurrent) continue;
    for (const std::int64_t width : {state.key_width, state.value_width}) {
      if (width % codec.block_elements != 0) {
        return fail(
            Error::Code::invalid,
            fmt::format("kv_type {} stores blocks of {} numbers, but the model's heads have {}; choose f16",
                        codec.name, codec.block_elements, width),
            "kv_type");
      }
      bytes += static_cast<double>(state.heads) *
               static_cast<double>(codec.row_bytes(static_cast<std::size_t>(width)));
    }
  }
  if (bytes > kAbsurdBytes)
    return fail(Error::Code::invalid,
                fmt::format("the model wants {:.0f} MiB of state for each token", mebibytes(bytes)));
  return static_cast<std::int64_t>(bytes);
}

struct Slots {
  std::int32_t count = 0;
  std::size_t bytes = 0;  // of all
};

// A slot for each sequence that runs, and some for states that the prefix cache keeps.
Result<Slots> choose_slots(const Graph& graph, const Options& options, std::size_t available) {
  const auto bytes = static_cast<std::size_t>(graph.slot_elements()) * sizeof(float);
  if (bytes == 0) return Slots{};
  const auto running = static_cast<std::size_t>(options.parallel);
  if (available / bytes < running) {
    auto refusal = fail(
        Error::Code::exhausted,
        fmt::format("{} requests at once need {:.1f} MiB of recurrent state, but {:.1f} MiB of memory are "
                    "available, enough for {}; lower parallel",
                    running, mebibytes(static_cast<double>(bytes * running)),
                    mebibytes(static_cast<double>(available)), available / bytes),
        "parallel", "out_of_memory");
    refusal.value().numbers = {{"needed_bytes", static_cast<std::int64_t>(bytes * running)},
                               {"available_bytes", static_cast<std::int64_t>(available)}};
    return refusal;
  }
  const std::size_t spare = (available - bytes * running) / kCheckpointPart / bytes;
  const std::size_t kept = options.prefix_cache ? std::min(spare, kMostCheckpoints) : 0;
  return Slots{static_cast<std::int32_t>(running + kept), bytes * (running + kept)};
}

Result<> too_little(const char* key, std::int64_t tokens, std::int64_t token_bytes, std::size_t available,
                    std::int64_t affordable) {
  const double needed = static_cast<double>(tokens) * static_cast<double>(token_bytes);
  auto refusal = fail(
      Error::Code::exhausted,
      fmt::format(
          "{} of {} tokens needs {:.1f} MiB of memory for keys and values, but {:.1f} MiB are available, "
          "enough for {} tokens; lower it, or choose a smaller kv_type",
          key, tokens, mebibytes(needed), mebibytes(static_cast<double>(available)), affordable),
      key, "out_of_memory");
  refusal.value().numbers = {{"needed_bytes", static_cast<std::int64_t>(needed)},
                             {"available_bytes", static_cast<std::int64_t>(available)},
                             {"affordable_tokens", affordable}};
  return refusal;
}

}  // namespace

Result<Capacity> choose_capacity(const Graph& graph, const Options& options,
                                 std::size_t state_bytes_available) {
  const Codec* codec = find_codec(options.kv_type);
  if (codec == nullptr) {
    return fail(
        Error::Code::invalid,
        fmt::format("kv_type {} is unknown; known are {}", options.kv_type, fmt::join(kKvTypes, ", ")),
        "kv_type");
  }
  const auto token_bytes = bytes_per_token(graph, *codec);
  if (!token_bytes) return tl::unexpected(token_bytes.error());
  const auto slots = choose_slots(graph, options, state_bytes_available);
  if (!slots) return tl::unexpected(slots.error());
  state_bytes_available -= slots->bytes;

  const std::int64_t most_pages = std::numeric_limits<std::int32_t>::max() / 2;
  const std::int64_t page_bytes = *token_bytes * options.page_tokens;
  const std::int64_t affordable_pages =
      page_bytes == 0
          ? most_pages
          : std::min(most_pages,
                     static_cast<std::int64_t>(state_bytes_available / static_cast<std::size_t>(page_bytes)));
  const std::int64_t affordable = affordable_pages * options.page_tokens;
  const auto whole_pages = [&](std::int64_t tokens) {
    return (tokens + options.page_tokens - 1) / options.page_tokens;
  };

  if (graph.position_limit > 0 && options.context > graph.position_limit) {
    return fail(Error::Code::invalid,
                fmt::format("context is {}, but the model knows only {} positions; lower it", options.context,
                            graph.position_limit),
                "context");
  }
  const std::int64_t trained = graph.trained_context > 0 ? graph.trained_context : kUntrained;
  const std::int64_t limit = options.kv_tokens > 0 ? options.kv_tokens : affordable;
  const std::int64_t context = options.context > 0 ? options.context : std::min(trained, limit);
  const std::int64_t smallest =
      options.context > 0 ? context : std::max(context, std::min(kSmallestContext, trained));
  const char* key = options.context > 0 ? "context" : "kv_tokens";
  if (options.kv_tokens > affordable) {
    const auto refusal =
        too_little("kv_tokens", options.kv_tokens, *token_bytes, state_bytes_available, affordable);
    return tl::unexpected(refusal.error());
  }
  if (smallest > affordable) {
    const auto refusal = too_little("context", smallest, *token_bytes, state_bytes_available, affordable);
    return tl::unexpected(refusal.error());
  }
  if (smallest > limit) {
    return fail(
        Error::Code::invalid,
        fmt::format(
            "kv_tokens is {}, but one request needs {} tokens of context; raise kv_tokens or lower context",
            options.kv_tokens, smallest),
        key);
  }
  const std::int64_t kept = context * std::min(options.parallel, kContextsKept);
  const std::int64_t tokens = options.kv_tokens > 0 ? options.kv_tokens : std::min(kept, affordable);
  // A model that looks both ways reads a text in one step.
  const std::int64_t rows = graph.causal ? options.step_rows : std::max(options.step_rows, context);
  return Capacity{
      .plan = {.page_tokens = static_cast<std::int32_t>(options.page_tokens),
               .page_count = static_cast<std::int32_t>(std::max(whole_pages(tokens), whole_pages(context))),
               .slot_count = slots->count,
               .max_rows = static_cast<std::int32_t>(std::max(rows, options.parallel)),
               .max_sequences = static_cast<std::int32_t>(options.parallel),
               .kv_codec = codec},
      .context = context};
}

}  // namespace pensieve::engine
