// Texts are taken in order as long as rows, sequences and pages allow; one that is longer than a step goes on
// in the next, alone.
#include "engine/embedder.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/pooling.h"

namespace pensieve::engine {

Embedder::Embedder(const Graph& graph, std::unique_ptr<Plan> plan, const Capacity& capacity)
    : graph_(graph), plan_(std::move(plan)), options_(capacity.plan), context_(capacity.context) {}

void Embedder::begin(std::size_t index, std::int64_t length, std::int64_t second) {
  running_.push_back({index, second, 0, {}, pages_used_});
  pages_used_ += static_cast<std::int32_t>((length + options_.page_tokens - 1) / options_.page_tokens);
}

void Embedder::add_rows(Progress& text, const std::vector<std::int32_t>& tokens, std::int64_t rows) {
  const auto length = static_cast<std::int64_t>(tokens.size());
  const PooledRows wanted = pooled_rows(graph_.pooling, length);
  output_counts_.push_back(0);
  for (std::int64_t i = text.done; i < text.done + rows; ++i) {
    if (i >= wanted.first && i < wanted.first + wanted.count) {
      outputs_.push_back(static_cast<std::int32_t>(tokens_.size()));
      ++output_counts_.back();
    }
    tokens_.push_back(tokens[static_cast<std::size_t>(i)]);
    positions_.push_back(static_cast<std::int32_t>(i));
    if (graph_.segments > 1) segments_.push_back(i < text.second ? 0 : 1);
  }
  text.done += rows;
  starts_.push_back(static_cast<std::int32_t>(tokens_.size()));
  const auto pages = static_cast<std::int32_t>((text.done + options_.page_tokens - 1) / options_.page_tokens);
  for (std::int32_t page = 0; page < pages; ++page) pages_.push_back(text.first_page + page);
  page_starts_.push_back(static_cast<std::int32_t>(pages_.size()));
}

Result<> Embedder::step(std::span<const std::vector<std::int32_t>> texts) {
  for (auto* list : {&tokens_, &positions_, &segments_, &pages_, &outputs_}) list->clear();
  starts_.assign(1, 0);
  page_starts_.assign(1, 0);
  output_counts_.clear();
  for (Progress& text : running_) {
    const auto left = static_cast<std::int64_t>(texts[text.index].size()) - text.done;
    const std::int64_t room = options_.max_rows - static_cast<std::int64_t>(tokens_.size());
    add_rows(text, texts[text.index], std::min(left, room));
  }
  const std::vector<PageTable> tables(graph_.state_groups, PageTable{pages_, page_starts_});
  Batch batch;
  batch.tokens = tokens_;
  batch.positions = positions_;
  batch.segments = segments_;
  batch.sequence_starts = starts_;
  batch.page_tables = tables;
  batch.output_rows = outputs_;
  const SamplingParams greedy;
  const std::vector<Draw> draws(outputs_.size(), Draw{&greedy, 0, {}, {}, true});
  batch.draws = draws;
  if (Result<> started = plan_->submit(batch, {}, {}); !started) return started;
  const Result<StepOutput> output = plan_->wait();
  if (!output) return tl::unexpected(output.error());
  const auto width = static_cast<std::size_t>(graph_.output_width());
  if (output->logits.size() != outputs_.size() * width)
    return fail(Error::Code::unsupported, "the device returns no rows; use another backend");
  const float* row = output->logits.data();
  for (std::size_t i = 0; i < running_.size(); ++i) {
    const std::size_t values = output_counts_[i] * width;
    running_[i].rows.insert(running_[i].rows.end(), row, row + values);
    row += values;
  }
  return {};
}

Result<std::vector<std::vector<float>>> Embedder::embed(std::span<const std::vector<std::int32_t>> texts,
                                                        std::span<const std::int64_t> seconds) {
  std::vector<std::vector<float>> vectors(texts.size());
  running_.clear();
  for (std::size_t next = 0; next < texts.size() || !running_.empty();) {
    std::int64_t rows = 0;
    if (running_.empty()) pages_used_ = 0;
    for (const Progress& text : running_)
      rows += static_cast<std::int64_t>(texts[text.index].size()) - text.done;
    while (next < texts.size() && static_cast<std::int32_t>(running_.size()) < options_.max_sequences) {
      const auto length = static_cast<std::int64_t>(texts[next].size());
      if (length == 0 || length > context_)
        return fail(Error::Code::internal, fmt::format("a text of {} tokens was not refused", length));
      const std::int64_t pages = (length + options_.page_tokens - 1) / options_.page_tokens;
      const bool fits = rows + length <= options_.max_rows && pages_used_ + pages <= options_.page_count;
      if (!fits && !running_.empty()) break;
      begin(next, length, next < seconds.size() ? seconds[next] : length);
      ++next;
      rows += length;
    }
    if (Result<> ran = step(texts); !ran) return tl::unexpected(ran.error());
    std::vector<Progress> unfinished;
    for (Progress& text : running_) {
      if (text.done < static_cast<std::int64_t>(texts[text.index].size())) {
        unfinished.push_back(std::move(text));
      } else {
        vectors[text.index] =
            pool(graph_.pooling, text.rows, static_cast<std::size_t>(graph_.output_width()));
      }
    }
    running_ = std::move(unfinished);
  }
  return vectors;
}

}  // namespace pensieve::engine
