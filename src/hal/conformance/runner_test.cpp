// Weights, sequences and batches for the tests of this folder.
#include "hal/conformance/runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace pensieve::hal::conformance {
namespace {

// Random bytes that decode to numbers of a sensible size, whatever the format: drawn until they do.
std::vector<std::vector<unsigned char>> valid_blocks(const Codec& codec, std::mt19937& random,
                                                     std::size_t count) {
  std::vector<std::vector<unsigned char>> blocks;
  std::vector<float> values(codec.block_elements);
  while (blocks.size() < count) {
    std::vector<unsigned char> block(codec.block_bytes);
    for (unsigned char& byte : block) byte = static_cast<unsigned char>(random());
    decode_row(codec, block.data(), values.size(), values.data());
    float largest = 0.0F;
    for (const float value : values)
      largest = std::isfinite(value) ? std::max(largest, std::abs(value)) : INFINITY;
    if (largest > 0.02F && largest < 1.0F) blocks.push_back(std::move(block));
  }
  return blocks;
}

std::vector<unsigned char> random_weight(const Codec& codec, std::size_t rows, std::size_t columns,
                                         bool table, std::mt19937& random) {
  std::vector<unsigned char> bytes(rows * codec.row_bytes(columns));
  if (codec.encode == nullptr) {
    const auto blocks = valid_blocks(codec, random, 24);
    for (std::size_t at = 0; at < bytes.size(); at += codec.block_bytes) {
      std::copy_n(blocks[random() % blocks.size()].begin(), codec.block_bytes,
                  bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return bytes;
  }
  const float spread = table ? 1.0F : 1.0F / std::sqrt(static_cast<float>(columns));
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> row(columns);
  for (std::size_t r = 0; r < rows; ++r) {
    for (float& value : row) value = normal(random);
    encode_row(codec, row.data(), columns, bytes.data() + r * codec.row_bytes(columns));
  }
  return bytes;
}

// Norm weights, biases and frequency factors: around one, so that none vanishes. Rates of decay: negative.
std::vector<unsigned char> random_vector(std::size_t elements, bool decay, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(decay ? -0.5F : 0.5F, decay ? -0.01F : 1.5F);
  std::vector<float> values(elements);
  for (float& value : values) value = uniform(random);
  std::vector<unsigned char> bytes(elements * sizeof(float));
  encode_row(*find_codec("f32"), values.data(), elements, bytes.data());
  return bytes;
}

}  // namespace

// Of all matrices together, where the weight is a stack.
std::size_t rows_of(const WeightSpec& spec) {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < spec.shape.size(); ++i) rows *= spec.shape[i];
  return static_cast<std::size_t>(rows);
}

TestModel make_model(Graph graph, const Codec& codec, std::uint32_t seed, const Codec* table) {
  TestModel model;
  std::mt19937 random(seed);
  const Codec& f32 = *find_codec("f32");
  for (const WeightSpec& spec : graph.weights) {
    const bool is_table = spec.name == "table";
    const Codec* stored = spec.shape.size() == 1 ? &f32
                          : is_table             ? (table != nullptr ? table : &f32)
                                                 : &codec;
    const auto columns = static_cast<std::size_t>(spec.shape.back());
    model.codecs.push_back(stored);
    model.bytes.push_back(spec.shape.size() == 1
                              ? random_vector(columns, spec.name == "decay", random)
                              : random_weight(*stored, rows_of(spec), columns, is_table, random));
  }
  model.graph = std::move(graph);
  return model;
}

std::vector<Weight> upload(Backend& backend, const TestModel& model,
                           std::vector<std::unique_ptr<Buffer>>& buffers) {
  std::vector<Weight> weights;
  for (std::size_t i = 0; i < model.bytes.size(); ++i) {
    auto buffer = backend.allocate(model.bytes[i].size(), Memory::weights);
    if (!buffer) {
      ADD_FAILURE() << buffer.error().what;
      return {};
    }
    const auto written = backend.write(**buffer, 0, std::as_bytes(std::span(model.bytes[i])));
    EXPECT_TRUE(written) << written.error().what;
    weights.push_back({model.codecs[i], model.graph.weights[i].shape, buffer->get()});
    buffers.push_back(std::move(*buffer));
  }
  return weights;
}

std::unique_ptr<Session> Session::open(const Target& target, const TestModel& model, const Options& options) {
  std::unique_ptr<Session> session(new Session());
  session->model_ = &model;
  session->options_ = options;
  session->backend_ = target.open(options.threads);
  if (session->backend_ == nullptr) {
    ADD_FAILURE() << target.name() << " does not open";
    return nullptr;
  }
  session->weights_ = upload(*session->backend_, model, session->buffers_);
  const PlanOptions plan_options{options.page_tokens, options.page_count,    options.max_sequences,
                                 options.max_rows,    options.max_sequences, find_codec(options.kv)};
  auto plan = session->backend_->compile(Segment::whole(model.graph), session->weights_, plan_options);
  if (!plan) {
    ADD_FAILURE() << target.name() << ": " << plan.error().what;
    return nullptr;
  }
  session->plan_ = std::move(*plan);
  std::mt19937 random(99);
  for (std::uint32_t group = 0; group < model.graph.state_groups; ++group) {
    std::vector<std::int32_t> pages(static_cast<std::size_t>(options.page_count));
    for (std::size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<std::int32_t>(i);
    std::shuffle(pages.begin(), pages.end(), random);
    session->free_pages_.push_back(std::move(pages));
  }
  return session;
}

Session::Sequence& Session::sequence(int id) {
  const auto [found, made] = sequences_.try_emplace(id);
  if (made) {
    found->second.length = options_.first_position;
    found->second.pages.resize(free_pages_.size());
    found->second.slot = options_.max_sequences - static_cast<std::int32_t>(sequences_.size());
  }
  return found->second;
}

void Session::grow(Sequence& sequence, std::int32_t length) {
  const auto needed = static_cast<std::size_t>((length + options_.page_tokens - 1) / options_.page_tokens);
  for (std::size_t group = 0; group < free_pages_.size(); ++group) {
    while (sequence.pages[group].size() < needed && !free_pages_[group].empty()) {
      sequence.pages[group].push_back(free_pages_[group].back());
      free_pages_[group].pop_back();
    }
    ASSERT_GE(sequence.pages[group].size(), needed) << "the test needs more pages than it asked for";
  }
}

Logits Session::step(const std::vector<Piece>& pieces) {
  std::vector<std::int32_t> tokens, positions, starts{0}, output_rows, slots;
  std::vector<std::vector<std::int32_t>> pages(free_pages_.size()), page_starts(free_pages_.size(), {0});
  for (const Piece& piece : pieces) {
    Sequence& continued = sequence(piece.sequence);
    for (std::size_t i = 0; i < piece.tokens.size(); ++i) {
      if (piece.all_logits || i + 1 == piece.tokens.size())
        output_rows.push_back(static_cast<std::int32_t>(tokens.size()));
      tokens.push_back(piece.tokens[i]);
      positions.push_back(continued.length++);
    }
    starts.push_back(static_cast<std::int32_t>(tokens.size()));
    slots.push_back(continued.slot);
    grow(continued, continued.length);
    for (std::size_t group = 0; group < pages.size(); ++group) {
      pages[group].insert(pages[group].end(), continued.pages[group].begin(), continued.pages[group].end());
      page_starts[group].push_back(static_cast<std::int32_t>(pages[group].size()));
    }
  }
  std::vector<PageTable> tables;
  for (std::size_t group = 0; group < pages.size(); ++group)
    tables.push_back({pages[group], page_starts[group]});
  Batch batch;
  batch.tokens = tokens;
  batch.positions = positions;
  batch.sequence_starts = starts;
  batch.page_tables = tables;
  batch.output_rows = output_rows;
  if (model_->graph.slot_elements() > 0) batch.slots = slots;
  const std::vector<Draw> draws(output_rows.size(), Draw{.wants_logits = true});
  batch.draws = draws;
  if (auto submitted = plan_->submit(batch, {}, {}); !submitted) {
    ADD_FAILURE() << submitted.error().what;
    return {};
  }
  const auto output = plan_->wait();
  const auto vocabulary = static_cast<std::size_t>(model_->graph.vocabulary);
  if (!output || output->logits.size() != output_rows.size() * vocabulary) {
    ADD_FAILURE() << (output ? "logits of another size than asked" : output.error().what);
    return {};
  }
  Logits logits;
  for (std::size_t row = 0; row < output_rows.size(); ++row) {
    const auto values = output->logits.subspan(row * vocabulary, vocabulary);
    logits.emplace_back(values.begin(), values.end());
  }
  return logits;
}

void Session::fork(int from, int to, std::int32_t tokens) {
  Sequence& made = sequence(to);
  made.length = tokens;
  grow(made, tokens);
  std::vector<StateCopy> copies;
  for (std::uint32_t group = 0; group < made.pages.size(); ++group) {
    for (std::size_t i = 0; i < made.pages[group].size(); ++i) {
      copies.push_back({group, sequence(from).pages[group][i], made.pages[group][i]});
    }
  }
  if (model_->graph.slot_elements() > 0)
    copies.push_back({model_->graph.slot_group(), sequence(from).slot, made.slot});
  const auto copied = plan_->copy_state(copies);
  EXPECT_TRUE(copied) << copied.error().what;
}

void Session::save_and_restore(int from, int to, std::int32_t tokens) {
  Sequence& made = sequence(to);
  made.length = tokens;
  grow(made, tokens);
  for (std::uint32_t group = 0; group < made.pages.size(); ++group) {
    std::vector<std::byte> page(plan_->page_bytes(group));
    EXPECT_GT(page.size(), 0U);
    for (std::size_t i = 0; i < made.pages[group].size(); ++i) {
      const auto saved = plan_->save_page(group, sequence(from).pages[group][i], page);
      EXPECT_TRUE(saved) << saved.error().what;
      const auto restored = plan_->restore_page(group, made.pages[group][i], page);
      EXPECT_TRUE(restored) << restored.error().what;
    }
  }
  if (model_->graph.slot_elements() == 0) return;
  const std::uint32_t slots = model_->graph.slot_group();
  std::vector<std::byte> state(plan_->page_bytes(slots));
  EXPECT_GT(state.size(), 0U);
  EXPECT_TRUE(plan_->save_page(slots, sequence(from).slot, state));
  EXPECT_TRUE(plan_->restore_page(slots, made.slot, state));
}

std::vector<std::int32_t> random_tokens(std::size_t count, std::int64_t vocabulary, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::int32_t> tokens(count);
  for (std::int32_t& token : tokens)
    token = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(vocabulary));
  return tokens;
}

}  // namespace pensieve::hal::conformance
