// OfferedTools: what a reply may call and of which type each parameter is. Not for checking arguments against
// their schema: the sampler's mask does that.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/reply.h"
#include "util/json.h"

namespace pensieve::model::reply {

class OfferedTools {
 public:
  // None with tool_choice none. A parameter schema that is no JSON object counts as absent.
  static std::shared_ptr<const OfferedTools> from(const ChatRequest& request);

  bool empty() const { return tools_.empty(); }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::vector<std::string> names() const;
  // A parameter's value from its text, for formats that write one element for each: texts stay texts where
  // the schema has a string, all else is read as JSON (or Python's True, False and None).
  util::Json parameter_value(std::string_view tool, const std::string& parameter,
                             std::string_view text) const;

 private:
  struct Entry {
    std::string name;
    util::Json parameters;
  };
  const Entry* find(std::string_view name) const;
  std::vector<Entry> tools_;
};

}  // namespace pensieve::model::reply
