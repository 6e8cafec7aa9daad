// Random tokens, real passes: nothing is reused between repeats but memory.
#include "tools/measure.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <span>

namespace pensieve::tools {
namespace {

using std::chrono::steady_clock;

double seconds_since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

// Ordinary token ids, different ones all the time: equal rows would make caches look better than they are.
class RandomTokens {
 public:
  explicit RandomTokens(const Forward& forward)
      : vocabulary_(static_cast<std::uint64_t>(forward.model().graph.vocabulary)) {}
  std::int32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::int32_t>(state_ % vocabulary_);
  }
  std::vector<std::int32_t> take(std::int64_t count) {
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
    for (std::int32_t& token : tokens) token = next();
    return tokens;
  }

 private:
  std::uint64_t vocabulary_;
  std::uint64_t state_ = 0x9E3779B97F4A7C15ULL;
};

class Measurement {
 public:
  Measurement(Forward& forward, const Workload& work, const std::function<void(std::int64_t)>& advanced)
      : forward_(forward), work_(work), advanced_(advanced), random_(forward) {}

  Result<Rates> run() {
    if (Result<> filled = fill(); !filled) return tl::unexpected(filled.error());
    Rates rates;
    for (std::int32_t repeat = -1; repeat < work_.repeat; ++repeat) {  // the first is the warm-up
      const bool warm_up = repeat < 0;
      if (work_.prompt > 0) {
        const std::int64_t tokens =
            warm_up ? std::min<std::int64_t>(work_.prompt, forward_.step_rows()) : work_.prompt;
        if (Result<> done = sample(rates.prompt, warm_up, [&] { return read_prompts(tokens); }); !done)
          return tl::unexpected(done.error());
      }
      if (work_.generate > 0) {
        const std::int64_t tokens = warm_up ? std::min<std::int64_t>(work_.generate, 2) : work_.generate;
        if (Result<> done = sample(rates.generate, warm_up, [&] { return generate(tokens); }); !done)
          return tl::unexpected(done.error());
      }
    }
    return rates;
  }

 private:
  // Tokens per second of `pass`, which answers how many tokens it did; every sequence starts at the depth.
  template <class Pass>
  Result<> sample(std::vector<double>& rates, bool warm_up, Pass pass) {
    for (std::int32_t sequence = 0; sequence < work_.parallel; ++sequence)
      forward_.truncate(sequence, work_.depth);
    const auto start = steady_clock::now();
    const Result<std::int64_t> tokens = pass();
    if (!tokens) return tl::unexpected(tokens.error());
    const double seconds = seconds_since(start);
    if (warm_up) return {};
    rates.push_back(static_cast<double>(*tokens) / seconds);
    advanced_(*tokens);
    return {};
  }

  Result<> read(std::int32_t sequence, const std::vector<std::int32_t>& tokens, std::int64_t first_output) {
    return forward_.read(sequence, tokens, first_output, 0,
                         [](std::span<const float>) -> Result<> { return {}; });
  }

  Result<> fill() {
    for (std::int32_t sequence = 0; sequence < work_.parallel; ++sequence) {
      const std::vector<std::int32_t> tokens = random_.take(work_.depth);
      for (std::size_t at = 0; at < tokens.size(); at += static_cast<std::size_t>(forward_.step_rows())) {
        const std::size_t rows = std::min(tokens.size() - at, static_cast<std::size_t>(forward_.step_rows()));
        const std::vector<std::int32_t> part(tokens.begin() + static_cast<std::ptrdiff_t>(at),
                                             tokens.begin() + static_cast<std::ptrdiff_t>(at + rows));
        if (Result<> done = read(sequence, part, static_cast<std::int64_t>(rows)); !done) return done;
        advanced_(static_cast<std::int64_t>(rows));
      }
    }
    return {};
  }

  // Each prompt ends with the logits of its last row and the choice of a token, as a server would.
  Result<std::int64_t> read_prompts(std::int64_t count) {
    for (std::int32_t sequence = 0; sequence < work_.parallel; ++sequence) {
      const std::vector<std::int32_t> tokens = random_.take(count);
      for (std::int64_t at = 0; at < count; at += forward_.step_rows()) {
        const std::int64_t rows = std::min<std::int64_t>(count - at, forward_.step_rows());
        const bool last = at + rows == count;
        const Feed feed{
            sequence, std::span(tokens).subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(rows)),
            static_cast<std::int32_t>(last ? rows - 1 : rows)};
        const Result<StepOutput> output = forward_.step(std::span(&feed, 1), Forward::Wanted::likeliest);
        if (!output) return tl::unexpected(output.error());
        if (last) choose(*output, 0, forward_.model().graph.vocabulary);
      }
    }
    return count * work_.parallel;
  }

  Result<std::int64_t> generate(std::int64_t count) {
    const auto parallel = static_cast<std::size_t>(work_.parallel);
    std::vector<std::int32_t> tokens = random_.take(work_.parallel);
    std::vector<Feed> feeds(parallel);
    for (std::int64_t made = 0; made < count; ++made) {
      for (std::size_t i = 0; i < parallel; ++i)
        feeds[i] = {static_cast<std::int32_t>(i), std::span(&tokens[i], 1), 0};
      const Result<StepOutput> output = forward_.step(feeds, Forward::Wanted::likeliest);
      if (!output) return tl::unexpected(output.error());
      for (std::size_t i = 0; i < parallel; ++i)
        tokens[i] = choose(*output, i, forward_.model().graph.vocabulary);
    }
    return count * work_.parallel;
  }

  Forward& forward_;
  const Workload& work_;
  const std::function<void(std::int64_t)>& advanced_;
  RandomTokens random_;
};

}  // namespace

Spread spread_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const std::size_t middle = samples.size() / 2;
  const double median =
      samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
  return {median, samples.front(), samples.back()};
}

std::int64_t tokens_in_all(const Workload& work) {
  return work.parallel * (work.depth + work.repeat * (work.prompt + work.generate));
}

Result<Rates> measure(Forward& forward, const Workload& work,
                      const std::function<void(std::int64_t)>& advanced) {
  return Measurement(forward, work, advanced).run();
}

double bytes_for_step(const Forward& forward, std::int64_t depth, std::int32_t sequences) {
  const model::LoadedModel& model = forward.model();
  double bytes = 0;
  std::set<std::uint32_t> read;
  for (const Node& node : model.graph.nodes) {
    for (const std::uint32_t index : node.weights) {
      const Weight& weight = model.weights[index];
      const auto width = static_cast<std::size_t>(weight.shape.back());
      std::int64_t rows = 1;
      for (std::size_t i = 0; i + 1 < weight.shape.size(); ++i) rows *= weight.shape[i];
      const auto row_bytes = static_cast<double>(weight.codec->row_bytes(width));
      if (node.op() == Op::embed) {
        bytes += row_bytes * sequences;
      } else if (read.insert(index).second) {
        bytes += row_bytes * static_cast<double>(rows);
      }
    }
  }
  const Codec& kv = forward.kv_codec();
  for (const StateSpec& state : model.graph.states) {
    const std::int64_t seen = state.window > 0 ? std::min(state.window, depth) : depth;
    const double token = static_cast<double>(state.heads * (state.key_width + state.value_width)) *
                         kv.block_bytes / kv.block_elements;
    bytes +=
        (token * static_cast<double>(seen) + static_cast<double>(state.sequence_elements) * sizeof(float)) *
        sequences;
  }
  return bytes;
}

}  // namespace pensieve::tools
