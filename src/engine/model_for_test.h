// A small world for the engine's tests: bytes as tokens, and a plan whose logits depend on every token before
// them, read through the page table, so that a wrong, stale or foreign page changes the answer or is
// reported. Not for production, and not a model: logits are hashes.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <new>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/backend.h"
#include "core/tokenizer.h"
#include "engine/random.h"

namespace pensieve::engine::testing {

// Tokens 0 to 255 are bytes, 256 ends an answer, 257 is another control token.
class ByteTokenizer final : public Tokenizer {
 public:
  static constexpr std::int32_t kEnd = 256, kControl = 257, kVocabulary = 258;

  ByteTokenizer() {
    for (int byte = 0; byte < 256; ++byte) bytes_ += static_cast<char>(byte);
  }
  void encode(std::string_view text, EncodeOptions, std::vector<std::int32_t>& out) const override {
    for (const char byte : text) out.push_back(static_cast<unsigned char>(byte));
  }
  std::string_view bytes(std::int32_t token, bool show_special) const override {
    if (short_of_memory) throw std::bad_alloc();
    if (token >= 0 && token < 256) return std::string_view(bytes_).substr(static_cast<std::size_t>(token), 1);
    if (show_special && token == kEnd) return "<end>";
    if (show_special && token == kControl) return "<control>";
    return {};
  }
  std::string decode(const std::vector<std::int32_t>& tokens, bool show_special) const override {
    std::string text;
    for (const std::int32_t token : tokens) text += bytes(token, show_special);
    return text;
  }
  std::int32_t vocabulary() const override { return kVocabulary; }
  bool is_end(std::int32_t token) const override { return token == kEnd; }
  bool is_control(std::int32_t token) const override { return token >= kEnd; }
  std::int32_t begin_token() const override { return -1; }
  std::int32_t end_token() const override { return kEnd; }

  std::atomic<bool> short_of_memory = false;

 private:
  std::string bytes_;
};

// What a prefix of tokens amounts to, and the logits after it. Lower-case letters are likely, the end now and
// then.
inline std::uint64_t chain_of(std::uint64_t before, std::int32_t token) {
  return mix_bits(before ^ mix_bits(static_cast<std::uint64_t>(token) + 1));
}
inline void logits_after(std::uint64_t chain, std::vector<float>& logits) {
  for (std::int32_t token = 0; token < ByteTokenizer::kVocabulary; ++token) {
    const double random = unit_interval(mix_bits(chain + static_cast<std::uint64_t>(token)));
    const bool letter = token >= 'a' && token <= 'e';
    logits.push_back(static_cast<float>(random * 6 + (letter                         ? 3.0
                                                      : token == ByteTokenizer::kEnd ? 0.5
                                                                                     : 0.0)));
  }
}

class PagedPlan final : public Plan {
 public:
  PagedPlan(std::int32_t pages, std::int32_t page_tokens)
      : page_tokens_(page_tokens),
        slots_(static_cast<std::size_t>(pages) * static_cast<std::size_t>(page_tokens)) {}

  Result<> submit(const Batch& batch, std::span<Buffer* const>, std::span<Buffer* const>) override {
    if (failing_submits.contains(steps)) return ++steps, fail(Error::Code::io, "submit was told to fail");
    if (throwing_submits.contains(steps)) {
      ++steps;
      throw std::bad_alloc();
    }
    logits_.clear();
    written_.clear();
    std::size_t output = 0;
    for (std::int32_t sequence = 0; sequence < batch.sequences(); ++sequence)
      run_sequence(batch, sequence, output);
    if (output != batch.output_rows.size()) problems.emplace_back("output rows do not rise");
    step_rows_ = batch.rows();
    largest_step = std::max(largest_step, step_rows_);
    return {};
  }

  Result<StepOutput> wait() override {
    if (on_wait) on_wait(step_rows_);
    if (failing_waits.contains(steps)) return ++steps, fail(Error::Code::io, "wait was told to fail");
    ++steps;
    return StepOutput{logits_, {}};
  }

  // A recurrent model: its logits depend on what its slots hold, not on pages.
  void keep_slots(std::int32_t count, std::uint32_t group) {
    kept_.assign(static_cast<std::size_t>(count), {});
    slot_group_ = group;
  }

  Result<> copy_state(std::span<const StateCopy> copies) override {
    for (const StateCopy& copy : copies) {
      if (!kept_.empty() && copy.group == slot_group_) {
        kept_[static_cast<std::size_t>(copy.to)] = kept_[static_cast<std::size_t>(copy.from)];
        ++copied_slots;
        continue;
      }
      std::copy_n(slots_.begin() + std::ptrdiff_t{copy.from} * page_tokens_, page_tokens_,
                  slots_.begin() + std::ptrdiff_t{copy.to} * page_tokens_);
      ++copied_pages;
    }
    return {};
  }
  std::size_t page_bytes(std::uint32_t) const override { return 0; }
  Result<> save_page(std::uint32_t, std::int32_t, std::span<std::byte>) override { return {}; }
  Result<> restore_page(std::uint32_t, std::int32_t, std::span<const std::byte>) override { return {}; }
  MemoryEstimate memory() const override { return {0, slots_.size() * sizeof(Slot), 0}; }

  std::vector<std::string> problems;
  std::set<std::int64_t> failing_submits, failing_waits, throwing_submits;  // by step
  std::int64_t steps = 0, rows = 0, copied_pages = 0, copied_slots = 0;
  std::int32_t largest_step = 0;
  std::function<void(std::int32_t)> on_wait;  // with the rows of the step

 private:
  struct Slot {
    std::int32_t position = -1, token = -1;
    std::uint64_t chain = 0;
  };

  void run_sequence(const Batch& batch, std::int32_t sequence, std::size_t& output) {
    const PageTable& table = batch.page_tables.front();
    const auto at = static_cast<std::size_t>(sequence);
    const auto pages = table.pages.subspan(static_cast<std::size_t>(table.starts[at]),
                                           static_cast<std::size_t>(table.starts[at + 1] - table.starts[at]));
    for (std::int32_t row = batch.sequence_starts[at]; row < batch.sequence_starts[at + 1]; ++row, ++rows) {
      const std::int32_t position = batch.positions[static_cast<std::size_t>(row)];
      const std::int32_t token = batch.tokens[static_cast<std::size_t>(row)];
      const std::uint64_t before =
          kept_.empty() ? read_before(pages, position) : read_slot(batch.slots[at], position);
      const std::uint64_t chain = chain_of(before, token);
      if (!kept_.empty()) kept_[static_cast<std::size_t>(batch.slots[at])] = {position, token, chain};
      if (static_cast<std::size_t>(position / page_tokens_) >= pages.size()) {
        problems.push_back(fmt::format("position {} is beyond {} pages", position, pages.size()));
        continue;
      }
      const std::size_t slot = slot_of(pages, position);
      if (!written_.insert(slot).second) problems.push_back(fmt::format("two rows write slot {}", slot));
      slots_[slot] = {position, token, chain};
      if (output < batch.output_rows.size() && batch.output_rows[output] == row) {
        logits_after(chain, logits_);
        ++output;
      }
    }
  }

  // Reads every earlier position, as attention does.
  std::uint64_t read_before(std::span<const std::int32_t> pages, std::int32_t position) {
    std::uint64_t chain = 0;
    for (std::int32_t earlier = 0; earlier < position; ++earlier) {
      const Slot& slot = slots_[slot_of(pages, earlier)];
      chain = chain_of(chain, slot.token);
      if (slot.position != earlier || slot.chain != chain)
        problems.push_back(fmt::format("position {} holds foreign state", earlier));
    }
    return chain;
  }
  std::uint64_t read_slot(std::int32_t slot, std::int32_t position) {
    const Slot& kept = kept_[static_cast<std::size_t>(slot)];
    if (position == 0) return 0;
    if (kept.position + 1 != position)
      problems.push_back(fmt::format("position {} follows {} in slot {}", position, kept.position, slot));
    return kept.chain;
  }
  std::size_t slot_of(std::span<const std::int32_t> pages, std::int32_t position) const {
    return static_cast<std::size_t>(pages[static_cast<std::size_t>(position / page_tokens_)] * page_tokens_ +
                                    position % page_tokens_);
  }

  std::int32_t page_tokens_, step_rows_ = 0;
  std::vector<Slot> slots_;
  std::vector<Slot> kept_;  // recurrent
  std::uint32_t slot_group_ = 0;
  std::vector<float> logits_;
  std::set<std::size_t> written_;
};

}  // namespace pensieve::engine::testing
