// KvStore. A page holds, head after head, its keys in groups of L tokens and then its values row by row
// (README.md).
#include "hal/cpu/kv_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace pensieve::hal::cpu {
namespace {

std::size_t key_group_bytes(KvKind kind, std::size_t width, std::size_t lanes) {
  if (kind == KvKind::q8_0) return (width + 31) / 32 * (2 + 32) * lanes;
  return width * lanes * (kind == KvKind::f32 ? 4 : 2);
}
std::size_t value_row_bytes(KvKind kind, std::size_t width, std::size_t lanes) {
  if (kind == KvKind::q8_0) return (width + 31) / 32 * (4 + 32);
  return (width + lanes - 1) / lanes * lanes * (kind == KvKind::f32 ? 4 : 2);
}

Result<KvKind> kind_of(const Codec* codec) {
  const std::string_view name = codec != nullptr ? codec->name : "none";
  if (name == "f32") return KvKind::f32;
  if (name == "f16") return KvKind::f16;
  if (name == "q8_0") return KvKind::q8_0;
  return fail(Error::Code::unsupported,
              fmt::format("keys and values cannot be kept as {} on cpu; use f32, f16 or q8_0", name),
              "kv_type");
}

}  // namespace

Result<KvStore> KvStore::plan(const Graph& graph, std::span<const std::int32_t> used,
                              const PlanOptions& options, int lanes) {
  KvStore store;
  store.states_.resize(graph.states.size());
  store.touched_.resize(graph.state_groups);
  if (used.empty()) return store;
  const auto kind = kind_of(options.kv_codec);
  if (!kind) return tl::unexpected(kind.error());
  store.kind_ = *kind;
  if (options.page_tokens < 1 || options.page_count < 1) {
    return fail(Error::Code::invalid, fmt::format("{} pages of {} tokens: both must be at least 1",
                                                  options.page_count, options.page_tokens));
  }
  const auto wide = static_cast<std::size_t>(lanes), tokens = static_cast<std::size_t>(options.page_tokens);
  for (const std::int32_t index : used) {
    const StateSpec& spec = graph.states[static_cast<std::size_t>(index)];
    State& state = store.states_[static_cast<std::size_t>(index)];
    const auto key_width = static_cast<std::size_t>(spec.key_width),
               value_width = static_cast<std::size_t>(spec.value_width);
    state.group = spec.group;
    state.layout = {options.page_tokens, static_cast<int>(spec.key_width), static_cast<int>(spec.value_width),
                    key_group_bytes(store.kind_, key_width, wide),
                    value_row_bytes(store.kind_, value_width, wide)};
    state.values_at = (tokens + wide - 1) / wide * state.layout.key_group_bytes;
    state.head_bytes = (state.values_at + tokens * state.layout.value_row_bytes + 63) / 64 * 64;
    state.page_bytes = state.head_bytes * static_cast<std::size_t>(spec.heads);
  }
  for (auto& pages : store.touched_) pages.resize(static_cast<std::size_t>(options.page_count));
  return store;
}

Result<KvStore> KvStore::open(const Graph& graph, std::span<const std::int32_t> used,
                              const PlanOptions& options, int lanes) {
  auto store = plan(graph, used, options, lanes);
  if (!store) return store;
  for (State& state : store->states_) {
    auto region = Region::open(state.page_bytes * static_cast<std::size_t>(options.page_count), false);
    if (!region) return tl::unexpected(region.error());
    state.region = std::move(*region);
  }
  return store;
}

Result<std::size_t> KvStore::bytes_of(const Graph& graph, std::span<const std::int32_t> used,
                                      const PlanOptions& options, int lanes) {
  const auto store = plan(graph, used, options, lanes);
  if (!store) return tl::unexpected(store.error());
  std::size_t bytes = 0;
  for (const State& state : store->states_)
    bytes += state.page_bytes * static_cast<std::size_t>(options.page_count);
  return bytes;
}

std::size_t KvStore::page_bytes(std::uint32_t group) const {
  std::size_t bytes = 0;
  for (const State& state : states_) bytes += state.group == group ? state.page_bytes : 0;
  return bytes;
}

void KvStore::copy_page(std::uint32_t group, std::int32_t from, std::int32_t to) {
  if (from == to) return;
  touch(group, to);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].group != group || states_[i].page_bytes == 0) continue;
    const auto state = static_cast<std::int32_t>(i);
    std::memcpy(keys(state, to, 0), keys(state, from, 0), states_[i].page_bytes);
  }
}

void KvStore::save_page(std::uint32_t group, std::int32_t page, std::byte* out) const {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].group != group || states_[i].page_bytes == 0) continue;
    std::memcpy(out, keys(static_cast<std::int32_t>(i), page, 0), states_[i].page_bytes);
    out += states_[i].page_bytes;
  }
}

void KvStore::restore_page(std::uint32_t group, std::int32_t page, const std::byte* in) {
  touch(group, page);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].group != group || states_[i].page_bytes == 0) continue;
    std::memcpy(keys(static_cast<std::int32_t>(i), page, 0), in, states_[i].page_bytes);
    in += states_[i].page_bytes;
  }
}

void KvStore::touch(std::uint32_t group, std::int32_t page) {
  touched_[group][static_cast<std::size_t>(page)] = true;
}

std::size_t KvStore::bytes_touched() const {
  std::size_t bytes = 0;
  for (std::uint32_t group = 0; group < touched_.size(); ++group) {
    const auto pages = std::count(touched_[group].begin(), touched_[group].end(), true);
    bytes += static_cast<std::size_t>(pages) * page_bytes(group);
  }
  return bytes;
}

}  // namespace pensieve::hal::cpu
