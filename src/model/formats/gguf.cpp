// Header checks, the two tables in order, and the ModelFile over a mapping.
#include "model/formats/gguf.h"

#include <fmt/format.h>

#include <unordered_map>
#include <utility>

#include "model/formats/byte_reader.h"
#include "model/formats/findings.h"
#include "model/formats/gguf_metadata.h"
#include "model/formats/gguf_split.h"
#include "model/formats/gguf_tensors.h"

namespace pensieve::model {
namespace {

struct Header {
  std::uint32_t magic = 0, version = 0;
  std::uint64_t tensors = 0, keys = 0;
};

Result<> check_version(std::uint32_t version) {
  if (version == 2 || version == 3) return {};
  if ((version & 0xFFFFU) == 0 && version != 0) {
    return fail(Error::Code::unsupported,
                "this GGUF file is big-endian (made for another kind of machine); convert it with gguf-py's "
                "convert-endian");
  }
  if (version == 1) {
    return fail(Error::Code::unsupported,
                "GGUF version 1 is no longer in use; convert the model again to get version 3");
  }
  return fail(version == 0 ? Error::Code::invalid : Error::Code::unsupported,
              fmt::format("GGUF version {} is unknown; versions 2 and 3 are read", version));
}

Result<Header> read_header(ByteReader& reader) {
  Header header;
  if (!reader.read(header.magic) || !reader.read(header.version)) {
    return fail(Error::Code::invalid, fmt::format("the GGUF file ends inside its header, after {} bytes",
                                                  reader.at() + reader.left()));
  }
  if (Result<> known = check_version(header.version); !known) return tl::unexpected(std::move(known).error());
  if (!reader.read(header.tensors) || !reader.read(header.keys)) {
    return fail(Error::Code::invalid, fmt::format("the GGUF file ends inside its header, after {} bytes",
                                                  reader.at() + reader.left()));
  }
  return header;
}

constexpr std::int64_t kMostOfAnything = 1 << 30;

GgufSplit read_split(const Metadata& metadata, Findings& findings) {
  GgufSplit split;
  const auto take = [&](const char* key, std::int64_t& value) {
    const Result<std::optional<std::int64_t>> found = metadata.integer(key);
    if (!found) return findings.problem(found.error().what);
    if (!*found) return;
    if (**found < 0 || **found > kMostOfAnything)
      return findings.problem(fmt::format("{} is {}", key, **found));
    value = **found;
  };
  take("split.no", split.number);
  take("split.count", split.count);
  take("split.tensors.count", split.tensors);
  return split;
}

// Thread rule: immutable. The mapping is declared first: tensors point into it.
class GgufFile final : public ModelFile {
 public:
  GgufFile(util::MappedFile file, GgufContent content)
      : file_(std::move(file)), content_(std::move(content)) {
    for (std::size_t i = 0; i < content_.tensors.size(); ++i) index_.emplace(content_.tensors[i].name, i);
  }
  const FileReport& report() const override { return content_.report; }
  const Metadata& metadata() const override { return content_.metadata; }
  std::span<const TensorInfo> tensors() const override { return content_.tensors; }
  const TensorInfo* find(std::string_view tensor) const override {
    const auto found = index_.find(tensor);
    return found == index_.end() ? nullptr : &content_.tensors[found->second];
  }
  std::uint64_t file_bytes() const override { return file_.bytes().size(); }

 private:
  util::MappedFile file_;
  GgufContent content_;
  std::unordered_map<std::string_view, std::size_t> index_;  // views of content_.tensors' names
};

}  // namespace

Result<GgufContent> parse_gguf(std::span<const std::byte> bytes, bool part) {
  ByteReader reader(bytes);
  Result<Header> header = read_header(reader);
  if (!header) return tl::unexpected(std::move(header).error());
  Findings findings;
  Result<GgufMetadata> table = read_gguf_metadata(reader, header->keys, findings);
  if (!table) return tl::unexpected(std::move(table).error());

  GgufContent content;
  content.report.format = "gguf";
  content.report.version = header->version;
  content.metadata = std::move(table->values);
  content.split = read_split(content.metadata, findings);
  if (content.split.count > 1 && !part) {
    findings.problem(fmt::format("this is part {} of a model split into {} files, and no whole one",
                                 content.split.number + 1, content.split.count));
  }
  content.tensors = read_gguf_tensors(reader, header->tensors, table->alignment, bytes, findings);
  std::move(findings).write(content.report);
  return content;
}

Result<std::unique_ptr<ModelFile>> open_gguf(util::MappedFile file, const std::string& path) {
  Result<GgufContent> content = parse_gguf(file.bytes(), true);
  if (!content) return tl::unexpected(std::move(content).error());
  if (content->split.count > 1) return open_split_gguf(path, std::move(*content));
  return std::make_unique<GgufFile>(std::move(file), std::move(*content));
}

}  // namespace pensieve::model
