// Parts are found by their names, and believed only where each says of itself what its name says.
#include "model/formats/gguf_split.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/formats/findings.h"
#include "util/mapped_file.h"

namespace pensieve::model {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t kMostParts = 1024;
constexpr std::size_t kDigits = 5, kNamed = 5;

// Owns what its tensors point into. Thread rule: immutable.
class SplitGguf final : public ModelFile {
 public:
  const FileReport& report() const override { return report_; }
  const Metadata& metadata() const override { return metadata_; }
  std::span<const TensorInfo> tensors() const override { return tensors_; }
  const TensorInfo* find(std::string_view tensor) const override {
    const auto found = index_.find(tensor);
    return found == index_.end() ? nullptr : &tensors_[found->second];
  }
  std::uint64_t file_bytes() const override { return bytes_; }

  // `expected`: what the first part says of all.
  Result<> add(const std::string& path, std::int64_t number, GgufSplit& expected, Findings& findings) {
    Result<util::MappedFile> file = util::MappedFile::open(path);
    if (!file) return tl::unexpected(std::move(file.error()));
    const std::string name = printable(fs::path(path).filename().string());
    Result<GgufContent> content = parse_gguf(file->bytes(), true);
    if (!content) {
      content.error().what = fmt::format("{}: {}", name, content.error().what);
      return tl::unexpected(std::move(content.error()));
    }
    if (content->split.number != number || content->split.count != expected.count) {
      findings.problem(fmt::format("{} says that it is part {} of {}", name, content->split.number + 1,
                                   content->split.count));
    }
    for (std::string& problem : content->report.problems) findings.problem(name + ": " + problem);
    for (TensorInfo& tensor : content->tensors) tensors_.push_back(std::move(tensor));
    bytes_ += file->bytes().size();
    files_.push_back(std::move(*file));
    if (number > 0) return {};
    expected.tensors = content->split.tensors;
    report_ = std::move(content->report);
    report_.problems.clear();  // they are among the findings
    metadata_ = std::move(content->metadata);
    return {};
  }

  void finish(std::int64_t expected, Findings&& findings) {
    if (expected >= 0 && static_cast<std::size_t>(expected) != tensors_.size())
      findings.problem(fmt::format("the parts hold {} tensors, not the {} of split.tensors.count",
                                   tensors_.size(), expected));
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (!index_.emplace(tensors_[i].name, i).second)
        findings.problem(fmt::format("tensor {} stands in two parts", printable(tensors_[i].name)));
    }
    std::vector<std::string> warnings = std::move(report_.warnings);
    std::move(findings).write(report_);
    report_.warnings.insert(report_.warnings.end(), warnings.begin(), warnings.end());
  }

 private:
  std::vector<util::MappedFile> files_;
  FileReport report_;
  Metadata metadata_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string_view, std::size_t> index_;  // views of tensors_' names
  std::uint64_t bytes_ = 0;
};

tl::unexpected<Error> invalid(std::string what) {
  return fail(Error::Code::invalid, std::move(what), {}, "model_invalid");
}

}  // namespace

std::string SplitName::part(std::int64_t index) const {
  return fmt::format("{}-{:05}-of-{:05}", stem, index, count);
}

std::optional<SplitName> split_name(std::string_view file_stem) {
  constexpr std::string_view kOf = "-of-";
  constexpr std::size_t kTail = 1 + kDigits + kOf.size() + kDigits;
  if (file_stem.size() <= kTail) return std::nullopt;
  const std::string_view tail = file_stem.substr(file_stem.size() - kTail);
  if (tail.front() != '-' || tail.substr(1 + kDigits, kOf.size()) != kOf) return std::nullopt;
  SplitName name{std::string(file_stem.substr(0, file_stem.size() - kTail)), 0, 0};
  const auto read = [](std::string_view digits, std::int64_t& number) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  if (!read(tail.substr(1, kDigits), name.number) || !read(tail.substr(kTail - kDigits), name.count))
    return std::nullopt;
  if (name.number < 1 || name.number > name.count) return std::nullopt;
  return name;
}

Result<std::unique_ptr<ModelFile>> open_split_gguf(const std::string& path, const GgufContent& some) {
  GgufSplit expected = some.split;
  if (expected.count > kMostParts || expected.number >= expected.count) {
    return invalid(fmt::format("part {} of {} parts; up to {} are possible", expected.number + 1,
                               expected.count, kMostParts));
  }
  const fs::path file(path);
  const std::optional<SplitName> name = split_name(file.stem().string());
  if (!name || name->count != expected.count || name->number != expected.number + 1) {
    return invalid(
        fmt::format("is part {0} of a model split into {1} files, but not named so: give each part its name "
                    "back, this one "
                    "NAME-{0:05}-of-{1:05}.gguf",
                    expected.number + 1, expected.count));
  }
  std::vector<std::string> parts, missing;
  for (std::int64_t i = 1; i <= expected.count; ++i) {
    const fs::path part = file.parent_path() / (name->part(i) + file.extension().string());
    std::error_code ignored;
    if (!fs::is_regular_file(part, ignored)) missing.push_back(printable(part.filename().string()));
    parts.push_back(part.string());
  }
  if (!missing.empty()) {
    const std::size_t count = missing.size();
    missing.resize(std::min(count, kNamed));
    return invalid(fmt::format("{} of the model's {} parts {} missing: {}{}; put all parts into one folder",
                               count, expected.count, count == 1 ? "is" : "are", fmt::join(missing, ", "),
                               count > kNamed ? ", …" : ""));
  }
  auto model = std::make_unique<SplitGguf>();
  Findings findings;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (Result<> added = model->add(parts[i], static_cast<std::int64_t>(i), expected, findings); !added)
      return tl::unexpected(std::move(added.error()));
  }
  model->finish(expected.tensors, std::move(findings));
  return std::unique_ptr<ModelFile>(std::move(model));
}

}  // namespace pensieve::model
