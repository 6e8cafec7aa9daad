// LoadedModel: everything that a model file gives, bound to a device's buffers; and inspect, which reads only
// the head. Not a running model: engine/ runs it, manage/ owns both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/chat.h"
#include "core/graph.h"
#include "core/model_file.h"
#include "core/model_info.h"
#include "core/reply.h"
#include "core/result.h"
#include "core/tokenizer.h"

namespace pensieve::model {

// Thread rule: immutable after load. The file outlives the buffers that alias it (declaration order).
struct LoadedModel {
  ModelInfo info;
  std::unique_ptr<ModelFile> file;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<ChatFormat> chat_format;    // null: the model has no chat template
  std::unique_ptr<ReplyFormat> reply_format;  // of the same template
  Graph graph;
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<Weight> weights;  // by index of Graph::weights
};

// Opens by content (GGUF magic), not by suffix. A file with problems is refused with the first of them and
// their number.
Result<std::unique_ptr<ModelFile>> open_model_file(const std::string& path);

// The same, but a file whose metadata can be read is given even when its report has problems: for `show` and
// listings.
Result<std::unique_ptr<ModelFile>> examine_model_file(const std::string& path);

// Opens, validates, builds the graph, checks every weight's presence, shape and codec, adopts the bytes on
// `backend`. `context`: tokens that one sequence shall reach, 0: as trained; some models compute differently
// then. `quantize`: the type that weights get while loading, empty: their own. The file's bytes are whole
// only after ModelFile::materialise, which whoever compiles the graph calls when it is known that everything
// fits.
Result<LoadedModel> load(const std::string& path, Backend& backend, std::int64_t context = 0,
                         const std::string& quantize = {});

// Threads to materialise on: those asked for, else as many as the machine has.
int load_threads(std::int64_t wanted);

// Everything that `load` checks before it needs a device: the report, the architecture, each weight's
// presence, shape, type.
Result<> check_loadable(const ModelFile& file);

// What the file's reader noticed and what its tokenizer lacks: nothing of it keeps the model from running.
std::vector<std::string> warnings_of(const ModelFile& file);

// What is known without loading: names, sizes, template, defaults. The name is the file's without suffix.
Result<ModelInfo> inspect(const std::string& path);

// The tokenizer alone, also from a vocabulary-only file.
Result<std::unique_ptr<Tokenizer>> load_tokenizer(const ModelFile& file);
// Null when the file has no template; bos and eos texts come from the tokenizer.
Result<std::unique_ptr<ChatFormat>> load_chat_format(const ModelFile& file, const Tokenizer& tokenizer);
// The other half of load_chat_format; null when the file has no template.
std::unique_ptr<ReplyFormat> load_reply_format(const ModelFile& file, const Tokenizer& tokenizer);

}  // namespace pensieve::model
