// Leases count their users; the last pointer to a tenancy sends its model to the graveyard.
#include "manage/tenancy.h"

#include <utility>

namespace pensieve::manage {

void Graveyard::bury(std::unique_ptr<Inference> dead) {
  const std::lock_guard lock(mutex_);
  alive_.fetch_sub(1);
  if (closed_) {
    (void)dead.release();  // the program ends; its memory goes with it
    return;
  }
  dead_.push_back(std::move(dead));
  arrived_.notify_all();
}

void Graveyard::sweep() {
  const std::lock_guard turn(sweeping_);
  std::vector<std::unique_ptr<Inference>> dead;
  {
    const std::lock_guard lock(mutex_);
    dead.swap(dead_);
  }
  dead.clear();
}

bool Graveyard::waiting() const {
  const std::lock_guard lock(mutex_);
  return !dead_.empty();
}

void Graveyard::close() {
  constexpr std::chrono::seconds kPatience{10};
  std::vector<std::unique_ptr<Inference>> dead;
  std::unique_lock lock(mutex_);
  arrived_.wait_for(lock, kPatience, [this] { return alive_.load() == 0; });
  closed_ = true;
  dead.swap(dead_);
  lock.unlock();
}

// The model as its users see it: forwards everything, counts itself, and has generations measured.
class Lease final : public Inference {
 public:
  explicit Lease(std::shared_ptr<Tenancy> tenancy) : tenancy_(std::move(tenancy)) { tenancy_->enter(); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() override { tenancy_->leave(); }

  const ModelInfo& info() const override { return model().info(); }
  bool alive() const override { return model().alive(); }
  GenerationId submit(GenerationRequest request, std::unique_ptr<ReplySink> sink) override {
    return model().submit(std::move(request), ModelCounters::observe(tenancy_->counters_, std::move(sink)));
  }
  void cancel(GenerationId id) override { model().cancel(id); }
  void render(ChatRequest request, Done<std::string> done) override {
    model().render(std::move(request), std::move(done));
  }
  void tokenize(std::string text, EncodeOptions options, Done<TokenizedText> done) override {
    model().tokenize(std::move(text), options, std::move(done));
  }
  void detokenize(std::vector<std::int32_t> tokens, Done<std::string> done) override {
    model().detokenize(std::move(tokens), std::move(done));
  }
  void embed(EmbeddingRequest request, Done<Embeddings> done) override {
    model().embed(std::move(request), std::move(done));
  }
  void count(ChatRequest request, Done<std::int64_t> done) override {
    model().count(std::move(request), std::move(done));
  }
  InferenceStats stats() const override { return model().stats(); }

 private:
  Inference& model() const { return tenancy_->model(); }
  std::shared_ptr<Tenancy> tenancy_;
};

Tenancy::Tenancy(std::unique_ptr<Inference> model, std::shared_ptr<ModelCounters> counters,
                 std::shared_ptr<Graveyard> graveyard)
    : model_(std::move(model)), counters_(std::move(counters)), graveyard_(std::move(graveyard)) {
  graveyard_->expect();
  counters_->count_load();
}

Tenancy::~Tenancy() {
  counters_->retire(model_->stats());
  graveyard_->bury(std::move(model_));
}

std::shared_ptr<Inference> Tenancy::lease(const std::shared_ptr<Tenancy>& tenancy) {
  return std::make_shared<Lease>(tenancy);
}

void Tenancy::enter() {
  used_.store(Clock::now().time_since_epoch().count(), std::memory_order_release);
  users_.fetch_add(1, std::memory_order_acq_rel);
}

void Tenancy::leave() {
  used_.store(Clock::now().time_since_epoch().count(), std::memory_order_release);
  users_.fetch_sub(1, std::memory_order_acq_rel);
}

Tenancy::Clock::time_point Tenancy::last_use() const {
  const Clock::rep ticks = used_.load(std::memory_order_acquire);
  return ticks == 0 ? begun_ : Clock::time_point(Clock::duration(ticks));
}

}  // namespace pensieve::manage
