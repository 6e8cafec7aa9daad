// Template: a chat template (Jinja, as transformers renders it) parsed once and rendered many times.
// Templates come from model files, so they are hostile: no I/O, no reach into the host, budgets on everything
// that grows. Not a chat format: what variables a conversation becomes is jinja_chat_format.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "util/json.h"

namespace pensieve::model {

namespace jinja {
struct Program;
class Value;
}  // namespace jinja

// What one rendering may use, and the time it sees.
struct RenderOptions {
  std::uint64_t steps = 10'000'000;  // evaluations; copying 256 bytes counts as one more
  std::uint32_t depth = 64;          // macro calls inside one another
  std::size_t output_bytes = std::size_t{16} << 20;
  std::size_t memory_bytes = std::size_t{256} << 20;  // alive at one time
  std::string clock;  // what strftime_now sees, "YYYY-MM-DD HH:MM:SS"; empty: the system's local time
};

// Output and which of its bytes came from outside the template.
struct RenderedText {
  struct Span {
    std::size_t begin, end;
  };
  std::string text;
  std::vector<Span> foreign;  // ascending, apart from one another
};

// Thread rule: immutable; any thread may render.
class Template {
 public:
  // Errors: invalid, reason "template_syntax", naming line and token.
  static Result<Template> parse(std::string source);
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  // `variables` is an object. Errors, by reason: "raise_exception" (what = the template's own message),
  // "template_error" (an operation failed; names line and expression), "template_budget" (code exhausted).
  Result<std::string> render(const util::Json& variables, const RenderOptions& options = {}) const;

  // The same for callers that know where each text comes from: `variables` is a dict whose texts are marked
  // (jinja/value.h).
  Result<RenderedText> render_marked(const jinja::Value& variables, const RenderOptions& options = {}) const;

 private:
  explicit Template(std::unique_ptr<const jinja::Program> program);
  std::unique_ptr<const jinja::Program> program_;
};

}  // namespace pensieve::model
