// Runs graphs on a backend as the engine would: weights uploaded, sequences with shuffled page tables, ragged
// batches. Test code: the functions are in runner_test.cpp and targets_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "core/backend.h"
#include "hal/backends.h"

namespace pensieve::hal::conformance {

// A backend with one instruction set, among those that this machine has.
struct Target {
  const BackendFactory* factory = nullptr;
  std::string isa;  // empty: the backend has only one
  std::string name() const { return std::string(factory->name) + (isa.empty() ? "" : "_" + isa); }
  std::unique_ptr<Backend> open(std::int32_t threads = 2) const;  // null when it fails
};
inline void PrintTo(const Target& target, std::ostream* out) {
  *out << target.name();
}  // for failure messages
// All backends of the table except reference (the judge) and null (no arithmetic), on each instruction set.
std::vector<Target> targets();
Target reference_target();

// A graph with values for its weights. Vectors (norm weights, biases, factors) are f32, matrices in `codec`.
struct TestModel {
  Graph graph;
  std::vector<const Codec*> codecs;               // [weights]
  std::vector<std::vector<unsigned char>> bytes;  // [weights], as stored
};
// Values are random but the same for the same seed; scaled so that a linear keeps magnitudes. Codecs that
// cannot encode get random valid blocks. `table` is the codec of embed's table; null: f32.
TestModel make_model(Graph graph, const Codec& codec, std::uint32_t seed, const Codec* table = nullptr);

// Rows of one sequence in a step.
struct Piece {
  int sequence = 0;
  std::vector<std::int32_t> tokens;
  bool all_logits = true;  // false: only the last row's
};
using Logits = std::vector<std::vector<float>>;  // one vector for each output row

// A loaded model on a backend. Failures are test failures and end in empty results.
class Session {
 public:
  struct Options {
    std::string kv = "f32";
    std::int32_t threads = 2, page_tokens = 16, page_count = 64, max_rows = 256, max_sequences = 16;
    std::int32_t first_position = 0;  // of new sequences, for graphs without state
  };
  // Null, with a test failure, when the backend refuses.
  static std::unique_ptr<Session> open(const Target& target, const TestModel& model, const Options& options);
  static std::unique_ptr<Session> open(const Target& target, const TestModel& model) {
    return open(target, model, Options());
  }

  // One batch; sequences continue where they stopped. Page numbers are handed out in a shuffled order.
  Logits step(const std::vector<Piece>& pieces);
  // Sequence `to` (new) continues after the first `tokens` tokens of `from`, with copies of its pages. Of a
  // recurrent model, all of its tokens: such state does not go back.
  void fork(int from, int to, std::int32_t tokens);
  // Saves the pages of `from` and restores them under other numbers as the new sequence `to`.
  void save_and_restore(int from, int to, std::int32_t tokens);

  Backend& backend() { return *backend_; }
  Plan& plan() { return *plan_; }

 private:
  struct Sequence {
    std::int32_t length = 0, slot = -1;
    std::vector<std::vector<std::int32_t>> pages;  // [state groups]
  };
  Session() = default;
  void grow(Sequence& sequence, std::int32_t length);
  Sequence& sequence(int id);

  const TestModel* model_ = nullptr;
  Options options_;
  std::unique_ptr<Backend> backend_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<Weight> weights_;
  std::unique_ptr<Plan> plan_;
  std::map<int, Sequence> sequences_;
  std::vector<std::vector<std::int32_t>> free_pages_;  // [state groups]
};

// Uploads weights; the buffers own them.
std::vector<Weight> upload(Backend& backend, const TestModel& model,
                           std::vector<std::unique_ptr<Buffer>>& buffers);

std::vector<std::int32_t> random_tokens(std::size_t count, std::int64_t vocabulary, std::uint32_t seed);

// How far results may be from the reference's.
struct Tolerance {
  double largest = 0;      // largest difference as a part of the largest magnitude; 0: not judged
  double mean_square = 0;  // squared differences as a part of the squared values (NMSE); 0: not judged
};
// By the codecs at work: exact arithmetic for f32; 16-bit products for f16 and bf16; 8-bit activations for
// quantized weights.
Tolerance tolerance_for(const Codec& codec);
Tolerance looser(Tolerance a, Tolerance b);
void expect_close(const Logits& wanted, const Logits& got, Tolerance tolerance);

}  // namespace pensieve::hal::conformance
