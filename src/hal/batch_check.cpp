// The rules of core/batch.h, one function for each part of a batch.
#include "hal/batch_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace pensieve::hal {
namespace {

template <class... Values>
tl::unexpected<Error> wrong(fmt::format_string<Values...> text, Values&&... values) {
  return fail(Error::Code::invalid, "batch: " + fmt::format(text, std::forward<Values>(values)...));
}

Result<> check_sizes(const Batch& batch, const BatchRules& rules) {
  const PlanOptions& options = rules.options;
  if (batch.tokens.size() > static_cast<std::size_t>(options.max_rows)) {
    return wrong("{} rows, but the plan was compiled for {}", batch.tokens.size(), options.max_rows);
  }
  if (batch.positions.size() != batch.tokens.size()) {
    return wrong("{} positions for {} rows", batch.positions.size(), batch.tokens.size());
  }
  if (!batch.segments.empty() && batch.segments.size() != batch.tokens.size())
    return wrong("{} segments for {} rows", batch.segments.size(), batch.tokens.size());
  if (batch.sequence_starts.empty())
    return wrong("sequence_starts is empty; it needs one entry more than sequences");
  if (batch.sequences() > options.max_sequences) {
    return wrong("{} sequences, but the plan was compiled for {}", batch.sequences(), options.max_sequences);
  }
  if (batch.page_tables.size() != rules.graph.state_groups) {
    return wrong("{} page tables for {} groups of states", batch.page_tables.size(),
                 rules.graph.state_groups);
  }
  const auto adapter =
      std::find_if(batch.adapters.begin(), batch.adapters.end(), [](std::int32_t id) { return id != -1; });
  if (adapter != batch.adapters.end()) {
    return fail(Error::Code::unsupported,
                fmt::format("adapter {}: the {} backend runs base models only", *adapter, rules.backend));
  }
  return {};
}

Result<> check_rows(const Batch& batch, const BatchRules& rules) {
  const auto starts = batch.sequence_starts;
  if (starts.front() != 0 || starts.back() != batch.rows()) {
    return wrong("sequence_starts run from {} to {}, but the rows from 0 to {}", starts.front(),
                 starts.back(), batch.rows());
  }
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    if (starts[s + 1] < starts[s])
      return wrong("sequence {} starts at row {} and ends at {}", s, starts[s], starts[s + 1]);
  }
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    for (std::int32_t row = starts[s]; row < starts[s + 1]; ++row) {
      const std::int32_t position = batch.positions[static_cast<std::size_t>(row)];
      const bool follows =
          row == starts[s] ||
          std::int64_t{position} == std::int64_t{batch.positions[static_cast<std::size_t>(row) - 1]} + 1;
      if (position < 0 || !follows)
        return wrong("row {} of sequence {} has position {}, which does not follow", row, s, position);
    }
  }
  for (std::size_t row = 0; rules.reads_tokens && row < batch.tokens.size(); ++row) {
    if (batch.tokens[row] < 0 || batch.tokens[row] >= rules.graph.vocabulary) {
      return wrong("row {} has token {}, outside the vocabulary of {}", row, batch.tokens[row],
                   rules.graph.vocabulary);
    }
  }
  for (std::size_t row = 0; row < batch.segments.size(); ++row) {
    if (batch.segments[row] < 0 || batch.segments[row] >= rules.graph.segments)
      return wrong("row {} is in segment {} of {}", row, batch.segments[row], rules.graph.segments);
  }
  const std::int64_t limit = rules.graph.position_limit;
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    if (starts[s] == starts[s + 1]) continue;
    const std::int32_t first = batch.positions[static_cast<std::size_t>(starts[s])];
    const std::int32_t final_position = batch.positions[static_cast<std::size_t>(starts[s + 1]) - 1];
    if (limit > 0 && final_position >= limit)
      return wrong("sequence {} reaches position {}, but the model knows {} positions", s, final_position,
                   limit);
    if (!rules.graph.causal && first != 0)
      return wrong("sequence {} continues at position {}, but the model reads whole sequences only", s,
                   first);
  }
  std::int32_t last = -1;
  for (const std::int32_t row : batch.output_rows) {
    if (row <= last || row >= batch.rows())
      return wrong("output row {} after {}, of {} rows", row, last, batch.rows());
    last = row;
  }
  return {};
}

// Every page that rows of this sequence read or write must exist; those only read must have been written.
Result<> check_sequence_pages(const Batch& batch, const BatchRules& rules, std::uint32_t group,
                              std::size_t sequence) {
  const PageTable& table = batch.page_tables[group];
  const std::int64_t page_tokens = rules.options.page_tokens, window = rules.windows[group];
  const auto first_row = static_cast<std::size_t>(batch.sequence_starts[sequence]);
  const auto end_row = static_cast<std::size_t>(batch.sequence_starts[sequence + 1]);
  if (first_row == end_row) return {};
  const std::int64_t start = batch.positions[first_row], last = batch.positions[end_row - 1];
  const std::int64_t first_read = window > 0 ? std::max<std::int64_t>(start - window + 1, 0) : 0;
  const std::int64_t pages = table.starts[sequence + 1] - table.starts[sequence];
  if (last / page_tokens >= pages) {
    return wrong("sequence {} reaches position {} with {} pages of {} tokens in group {}", sequence, last,
                 pages, page_tokens, group);
  }
  for (std::int64_t i = first_read / page_tokens; i <= last / page_tokens; ++i) {
    const std::int32_t page = table.pages[static_cast<std::size_t>(table.starts[sequence] + i)];
    if (page < 0 || page >= rules.options.page_count) {
      return wrong("page {} of sequence {} in group {}, but there are {} pages", page, sequence, group,
                   rules.options.page_count);
    }
    if (i * page_tokens < start && rules.written && !rules.written(group, page)) {
      return wrong("sequence {} continues at position {}, but its page {} in group {} was never written",
                   sequence, start, page, group);
    }
  }
  return {};
}

Result<> check_pages(const Batch& batch, const BatchRules& rules) {
  for (std::uint32_t group = 0; group < rules.graph.state_groups; ++group) {
    const PageTable& table = batch.page_tables[group];
    if (table.starts.size() != batch.sequence_starts.size()) {
      return wrong("page table {} lists {} sequences instead of {}", group,
                   std::int64_t(table.starts.size()) - 1, batch.sequences());
    }
    const bool rises = std::is_sorted(table.starts.begin(), table.starts.end());
    if (!rises || table.starts.front() < 0 ||
        static_cast<std::size_t>(table.starts.back()) > table.pages.size()) {
      return wrong("page table {} has starts outside its {} pages", group, table.pages.size());
    }
    if (rules.windows[group] == kKeepsNoState) continue;
    for (std::size_t s = 0; s + 1 < batch.sequence_starts.size(); ++s) {
      if (auto checked = check_sequence_pages(batch, rules, group, s); !checked) return checked;
    }
  }
  return {};
}

}  // namespace

std::vector<std::int64_t> windows_of(const Segment& segment) {
  const Graph& graph = *segment.graph;
  std::vector<std::int64_t> windows(graph.state_groups, kKeepsNoState);
  for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
    const auto* attention = std::get_if<AttentionParams>(&graph.nodes[i].params);
    if (attention == nullptr) continue;
    std::int64_t& widest = windows[graph.states[static_cast<std::size_t>(graph.nodes[i].state)].group];
    const bool sees_all = widest == 0 || attention->window == 0;
    widest = sees_all ? 0 : std::max(widest, attention->window);
  }
  return windows;
}

Result<> check_batch(const Batch& batch, const BatchRules& rules) {
  if (auto checked = check_sizes(batch, rules); !checked) return checked;
  if (auto checked = check_rows(batch, rules); !checked) return checked;
  return check_pages(batch, rules);
}

}  // namespace pensieve::hal
