// The rules of core/batch.h that keep a step inside its memory, checked before anything is touched.
#include <fmt/format.h>

#include <algorithm>

#include "hal/cpu/plan.h"

namespace pensieve::hal::cpu {
namespace {

template <class... Values>
tl::unexpected<Error> wrong(fmt::format_string<Values...> text, Values&&... values) {
  return fail(Error::Code::invalid, "batch: " + fmt::format(text, std::forward<Values>(values)...));
}

Result<> check_sizes(const Batch& batch, const BatchRules& rules) {
  if (batch.tokens.size() > static_cast<std::size_t>(rules.options->max_rows))
    return wrong("{} rows, but the plan was compiled for {}", batch.tokens.size(), rules.options->max_rows);
  if (batch.positions.size() != batch.tokens.size())
    return wrong("{} positions for {} rows", batch.positions.size(), batch.tokens.size());
  if (batch.sequence_starts.empty())
    return wrong("sequence_starts is empty; it needs one entry more than sequences");
  if (batch.sequences() > rules.options->max_sequences)
    return wrong("{} sequences, but the plan was compiled for {}", batch.sequences(),
                 rules.options->max_sequences);
  if (batch.page_tables.size() != rules.graph->state_groups)
    return wrong("{} page tables for {} groups of states", batch.page_tables.size(),
                 rules.graph->state_groups);
  for (const std::int32_t adapter : batch.adapters) {
    if (adapter != -1)
      return fail(Error::Code::unsupported, fmt::format("adapter {}: cpu runs base models only", adapter));
  }
  return {};
}

Result<> check_rows(const Batch& batch, const BatchRules& rules) {
  const auto starts = batch.sequence_starts;
  if (starts.front() != 0 || starts.back() != batch.rows() || !std::is_sorted(starts.begin(), starts.end()))
    return wrong("sequence_starts do not rise from 0 to the {} rows", batch.rows());
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    for (auto row = static_cast<std::size_t>(starts[s]); row < static_cast<std::size_t>(starts[s + 1]);
         ++row) {
      const std::int64_t position = batch.positions[row];
      const bool follows = row == static_cast<std::size_t>(starts[s]) ||
                           position == std::int64_t{batch.positions[row - 1]} + 1;
      if (position < 0 || !follows)
        return wrong("row {} of sequence {} has position {}, which does not follow", row, s, position);
    }
  }
  for (std::size_t row = 0; rules.reads_tokens && row < batch.tokens.size(); ++row) {
    if (batch.tokens[row] < 0 || batch.tokens[row] >= rules.graph->vocabulary)
      return wrong("row {} has token {}, outside the vocabulary of {}", row, batch.tokens[row],
                   rules.graph->vocabulary);
  }
  std::int32_t last = -1;
  for (const std::int32_t row : batch.output_rows) {
    if (row <= last || row >= batch.rows())
      return wrong("output row {} after {}, of {} rows", row, last, batch.rows());
    last = row;
  }
  return {};
}

// Every page that rows of this sequence read or write must exist.
Result<> check_sequence(const Batch& batch, const BatchRules& rules, std::uint32_t group,
                        std::size_t sequence) {
  const PageTable& table = batch.page_tables[group];
  const std::int64_t page_tokens = rules.options->page_tokens, window = rules.windows[group];
  const auto first_row = static_cast<std::size_t>(batch.sequence_starts[sequence]);
  const auto end_row = static_cast<std::size_t>(batch.sequence_starts[sequence + 1]);
  if (first_row == end_row) return {};
  const std::int64_t last = batch.positions[end_row - 1];
  const std::int64_t first =
      window > 0 ? std::max<std::int64_t>(batch.positions[first_row] - window + 1, 0) : 0;
  const std::int64_t pages = table.starts[sequence + 1] - table.starts[sequence];
  if (last / page_tokens >= pages) {
    return wrong("sequence {} reaches position {} with {} pages of {} tokens in group {}", sequence, last,
                 pages, page_tokens, group);
  }
  for (std::int64_t i = first / page_tokens; i <= last / page_tokens; ++i) {
    const std::int32_t page = table.pages[static_cast<std::size_t>(table.starts[sequence] + i)];
    if (page < 0 || page >= rules.options->page_count) {
      return wrong("page {} of sequence {} in group {}, but there are {} pages", page, sequence, group,
                   rules.options->page_count);
    }
  }
  return {};
}

}  // namespace

Result<> check_batch(const Batch& batch, const BatchRules& rules) {
  if (auto checked = check_sizes(batch, rules); !checked) return checked;
  if (auto checked = check_rows(batch, rules); !checked) return checked;
  for (std::uint32_t group = 0; group < rules.graph->state_groups; ++group) {
    const PageTable& table = batch.page_tables[group];
    if (table.starts.size() != batch.sequence_starts.size())
      return wrong("page table {} has {} starts for {} sequences", group, table.starts.size(),
                   batch.sequences());
    if (!std::is_sorted(table.starts.begin(), table.starts.end()) || table.starts.front() < 0 ||
        static_cast<std::size_t>(table.starts.back()) > table.pages.size())
      return wrong("page table {} has starts outside its {} pages", group, table.pages.size());
    if (!(*rules.has_state)[group]) continue;
    for (std::size_t s = 0; s + 1 < batch.sequence_starts.size(); ++s) {
      if (auto checked = check_sequence(batch, rules, group, s); !checked) return checked;
    }
  }
  return {};
}

}  // namespace pensieve::hal::cpu
