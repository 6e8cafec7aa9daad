// Template: the border of the engine, where Failure becomes Error.
#include "model/chat/template.h"

#include <fmt/format.h>

#include <new>
#include <stdexcept>

#include "model/chat/jinja/clock.h"
#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/json_input.h"
#include "model/chat/jinja/parser.h"

namespace pensieve::model {
namespace {

tl::unexpected<Error> out_of_memory() {
  return fail(Error::Code::exhausted, "not enough memory to render the chat template", {},
              std::string(jinja::kReasonBudget));
}

Result<jinja::EvaluatorOptions> evaluator_options(const RenderOptions& options) {
  jinja::EvaluatorOptions result;
  result.macro_depth = options.depth;
  result.output_bytes = options.output_bytes;
  if (options.clock.empty()) {
    result.now = jinja::local_time();
    return result;
  }
  const Result<std::tm> time = jinja::parse_time(options.clock);
  if (!time) return tl::unexpected(time.error());
  result.now = *time;
  return result;
}

}  // namespace

Template::Template(std::unique_ptr<const jinja::Program> program) : program_(std::move(program)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::parse(std::string source) try {
  return Template(jinja::parse_program(source));
} catch (const jinja::Failure& failure) {
  return tl::unexpected(failure.error);
} catch (const std::bad_alloc&) {
  return out_of_memory();
}

Result<RenderedText> Template::render_marked(const jinja::Value& variables,
                                             const RenderOptions& options) const try {
  const Result<jinja::EvaluatorOptions> settings = evaluator_options(options);
  if (!settings) return tl::unexpected(settings.error());
  jinja::Budget budget(options.steps, options.memory_bytes);  // outlives every value of the rendering
  jinja::Evaluator evaluator(*program_, budget, *settings);
  for (const jinja::Dict::Entry& entry : variables.dict()->entries)
    evaluator.define(entry.key.view(), entry.value);
  const jinja::Text output = evaluator.render();
  RenderedText result{std::string(output.view()), {}};
  for (const jinja::Span& span : output.foreign_spans()) result.foreign.push_back({span.begin, span.end});
  return result;
} catch (const jinja::Failure& failure) {
  return tl::unexpected(failure.error);
} catch (const std::bad_alloc&) {
  return out_of_memory();
} catch (const std::length_error&) {
  return out_of_memory();
}

Result<std::string> Template::render(const util::Json& variables, const RenderOptions& options) const try {
  if (!variables.is_object())
    return fail(Error::Code::invalid,
                fmt::format("template variables must be an object, not {}", variables.type_name()));
  Result<RenderedText> rendered = render_marked(jinja::from_json(variables, jinja::Origin::foreign), options);
  if (!rendered) return tl::unexpected(rendered.error());
  return std::move(rendered->text);
} catch (const jinja::Failure& failure) {
  return tl::unexpected(failure.error);
} catch (const std::bad_alloc&) {
  return out_of_memory();
}

}  // namespace pensieve::model
