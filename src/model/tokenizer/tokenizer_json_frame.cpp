// The tokens around a text, and around two that are read together: post_processor.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/tokenizer/tokenizer_json_text.h"
#include "model/tokenizer/vocabulary.h"

namespace pensieve::model {

using util::Json;

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

tl::unexpected<Error> unsupported_step(std::string_view member, const Json& step) {
  return fail(Error::Code::unsupported, fmt::format("tokenizer.json: this build has no {} {}", member,
                                                    model::quoted(util::to_json(step))));
}

std::string json_text(const Json& step, const char* name) {
  const Json* value = member(step, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::vector<JsonStep> json_steps(const Json& root, const char* name, const char* parts) {
  std::vector<JsonStep> steps;
  std::vector<const Json*> open;
  if (const Json* first = member(root, name)) open.push_back(first);
  while (!open.empty()) {
    const Json* step = open.back();
    open.pop_back();
    const std::string type = json_text(*step, "type");
    const Json* inner = member(*step, parts);
    if (type == "Sequence" && inner != nullptr && inner->is_array()) {
      for (std::size_t i = inner->size(); i-- > 0;) open.push_back(&(*inner)[i]);
    } else {
      steps.push_back({type, step});
    }
  }
  return steps;
}

namespace {

// Reads the ids that post_processor names, checked against the vocabulary.
class FrameReader {
 public:
  explicit FrameReader(std::size_t vocabulary) : vocabulary_(vocabulary) {}

  Result<> read(const JsonStep& step) {
    if (step.type == "ByteLevel") return {};
    if (step.type == "BertProcessing") return read_classic(*step.json, 1);
    if (step.type == "RobertaProcessing") return read_classic(*step.json, 2);
    const Json* single = member(*step.json, "single");
    if (step.type != "TemplateProcessing" || single == nullptr || !single->is_array())
      return unsupported_step("post_processor", *step.json);
    if (Result<> read = read_template(*step.json, *single, {&opening_, &closing_, &closing_}); !read)
      return read;
    const Json* pair = member(*step.json, "pair");
    if (pair == nullptr || !pair->is_array()) return {};
    std::vector<std::int64_t> before, between, after;  // before and after: as around one text
    if (Result<> read = read_template(*step.json, *pair, {&before, &between, &after}); !read) return read;
    between_ = std::move(between);
    return {};
  }

  void write(Metadata& metadata) && {
    if (between_) metadata.set("tokenizer.pensieve.between_ids", std::move(*between_));
    metadata.set("tokenizer.pensieve.opening_ids", std::move(opening_));
    metadata.set("tokenizer.pensieve.closing_ids", std::move(closing_));
  }

 private:
  using Places = std::array<std::vector<std::int64_t>*, 3>;  // before, after the first text, after the second

  Result<> add(const Json& id, std::vector<std::int64_t>& to) const {
    if (!id.is_number_integer() || id < 0 || id >= vocabulary_) {
      return fail(
          Error::Code::invalid,
          fmt::format("tokenizer.json: post_processor has the id {}, outside the vocabulary of {} tokens",
                      util::to_json(id), vocabulary_));
    }
    to.push_back(id.get<std::int64_t>());
    return {};
  }

  Result<> read_classic(const Json& step, int separators) {
    const auto id_of = [&](const char* name, std::vector<std::int64_t>& to) -> Result<> {
      const Json* named = member(step, name);
      if (named == nullptr || !named->is_array() || named->size() != 2)
        return unsupported_step("post_processor", step);
      return add((*named)[1], to);
    };
    Result<> added = id_of("cls", opening_);
    std::vector<std::int64_t> between;
    for (int i = 0; added && i < separators; ++i) added = id_of("sep", between);
    if (added) added = id_of("sep", closing_);
    if (added) between_ = std::move(between);
    return added;
  }

  Result<> read_template(const Json& step, const Json& parts, const Places& places) const {
    std::size_t texts = 0;
    for (const Json& part : parts) {
      if (member(part, "Sequence") != nullptr) {
        texts = std::min(texts + 1, places.size() - 1);
        continue;
      }
      const Json* token = member(part, "SpecialToken");
      const Json* known = member(step, "special_tokens");
      const Json* named = token && known ? member(*known, json_text(*token, "id").c_str()) : nullptr;
      const Json* ids = named ? member(*named, "ids") : nullptr;
      if (ids == nullptr || !ids->is_array()) return unsupported_step("post_processor", part);
      for (const Json& id : *ids) {
        if (auto added = add(id, *places[texts]); !added) return added;
      }
    }
    return {};
  }

  std::size_t vocabulary_;
  std::vector<std::int64_t> opening_, closing_;
  std::optional<std::vector<std::int64_t>> between_;
};

}  // namespace

Result<> read_template_tokens(const Json& root, std::size_t vocabulary, Metadata& metadata) {
  FrameReader frame(vocabulary);
  for (const JsonStep& step : json_steps(root, "post_processor", "processors")) {
    if (Result<> read = frame.read(step); !read) return read;
  }
  std::move(frame).write(metadata);
  return {};
}

}  // namespace pensieve::model
