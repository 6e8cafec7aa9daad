// See model_stats.h.
#include "server/model_stats.h"

namespace pensieve::server {
namespace {

void add_counters(InferenceStats& sum, const InferenceStats& more) {
  sum.prompt_tokens += more.prompt_tokens;
  sum.cached_tokens += more.cached_tokens;
  sum.generated_tokens += more.generated_tokens;
  sum.finished += more.finished;
  sum.cancelled += more.cancelled;
  sum.failed += more.failed;
  sum.steps += more.steps;
}

}  // namespace

void ModelStats::retire(Book& book) {
  add_counters(book.retired, book.last);
  book.last = {};
  book.model.reset();
}

void ModelStats::watch(const std::shared_ptr<Inference>& model) {
  const std::lock_guard lock(mutex_);
  Book& book = books_[model->info().name];
  if (book.model.lock() == model) return;
  retire(book);
  book.model = model;
}

std::map<std::string, InferenceStats> ModelStats::read() {
  std::map<std::string, InferenceStats> all;
  const std::lock_guard lock(mutex_);
  for (auto& [name, book] : books_) {
    if (const auto model = book.model.lock()) {
      book.last = model->stats();
    } else {
      retire(book);
    }
    InferenceStats sum = book.last;
    add_counters(sum, book.retired);
    all.emplace(name, sum);
  }
  return all;
}

}  // namespace pensieve::server
