// ModelStats: the counters of every model that answered here, read without waiting for any engine. A model
// that was unloaded keeps the totals last seen, so that counters never fall.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/inference.h"

namespace pensieve::server {

// Thread rule: any thread.
class ModelStats {
 public:
  void watch(const std::shared_ptr<Inference>& model);
  std::map<std::string, InferenceStats> read();  // by model name

 private:
  struct Book {
    std::weak_ptr<Inference> model;
    InferenceStats last;     // of the model watched now
    InferenceStats retired;  // counters of its predecessors
  };
  void retire(Book& book);
  std::mutex mutex_;
  std::map<std::string, Book> books_;  // guarded by mutex_
};

}  // namespace pensieve::server
