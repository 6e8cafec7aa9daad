// Findings: collects what is wrong with a file, in words, without letting a hostile file make the list long.
// Not for errors that end the reading; those are Result.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/model_file.h"

namespace pensieve::model {

// Bytes from a file, fit for a message: quoted, control characters and invalid UTF-8 escaped, long text cut.
std::string printable(std::string_view foreign);

class Findings {
 public:
  static constexpr std::size_t kMost = 100;  // of each kind that are kept in words; the rest is counted

  void problem(std::string text) { add(problems_, problem_count_, std::move(text)); }
  void warning(std::string text) { add(warnings_, warning_count_, std::move(text)); }
  bool clean() const { return problem_count_ == 0; }

  // Moves everything into the report, with a last line that counts what was left out.
  void write(FileReport& report) &&;

 private:
  static void add(std::vector<std::string>& list, std::size_t& count, std::string text) {
    if (count++ < kMost) list.push_back(std::move(text));
  }

  std::vector<std::string> problems_, warnings_;
  std::size_t problem_count_ = 0, warning_count_ = 0;
};

}  // namespace pensieve::model
