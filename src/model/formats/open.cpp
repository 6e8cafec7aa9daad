// open_model_file and examine_model_file: from a path to a checked ModelFile, whatever the format.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "model/formats/gguf.h"
#include "model/formats/hf_folder.h"
#include "model/formats/recognise.h"
#include "model/loaded_model.h"
#include "util/mapped_file.h"

namespace pensieve::model {
namespace {

// Messages reach clients of a server, so they name the file but not the folder it lies in.
std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

tl::unexpected<Error> refuse(Error error, const std::string& path) {
  error.what = file_name(path) + ": " + error.what;
  if (error.reason.empty()) error.reason = "model_invalid";
  return tl::unexpected(std::move(error));
}

}  // namespace

Result<std::unique_ptr<ModelFile>> examine_model_file(const std::string& path) {
  std::error_code ignored;
  if (is_hf_folder(path)) {
    Result<std::unique_ptr<ModelFile>> folder = open_hf_folder(path);
    if (!folder) return refuse(std::move(folder).error(), path);
    return folder;
  }
  if (std::filesystem::is_directory(path, ignored)) {
    return refuse(
        {Error::Code::unsupported,
         "is a directory without a config.json; give the path of a GGUF file or of a SafeTensors folder"},
        path);
  }
  Result<util::MappedFile> file = util::MappedFile::open(path);
  if (!file) return tl::unexpected(std::move(file).error());
  Recognised found = recognise(file->bytes());
  if (found.kind == FileKind::other) {
    return refuse({Error::Code::invalid, "is not a model file but " + found.description}, path);
  }
  Result<std::unique_ptr<ModelFile>> opened = open_gguf(std::move(*file), path);
  if (!opened) return refuse(std::move(opened).error(), path);
  return opened;
}

Result<std::unique_ptr<ModelFile>> open_model_file(const std::string& path) {
  Result<std::unique_ptr<ModelFile>> file = examine_model_file(path);
  if (!file) return file;
  const std::vector<std::string>& problems = (*file)->report().problems;
  if (problems.empty()) return file;
  const std::string more =
      problems.size() == 1
          ? ""
          : fmt::format(" ({} more problems; `pensieve show` lists them)", problems.size() - 1);
  return refuse({Error::Code::invalid, "the file is damaged or malformed: " + problems.front() + more}, path);
}

}  // namespace pensieve::model
