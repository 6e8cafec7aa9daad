// Evaluator: walks the syntax tree and writes the output. It owns what lives as long as one rendering
// (scopes, namespaces). Not here: what filters, tests, methods and operators do.
#pragma once

#include <ctime>
#include <memory>
#include <string_view>
#include <vector>

#include "model/chat/jinja/scope.h"
#include "model/chat/jinja/syntax.h"
#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

class Loop;
class Macro;
class Namespace;

struct EvaluatorOptions {
  std::uint32_t macro_depth = 64;
  std::size_t output_bytes = std::size_t{16} << 20;
  std::tm now{};
};

// Thread rule: one thread; the Program may be shared with other evaluators.
class Evaluator {
 public:
  Evaluator(const Program& program, Budget& budget, const EvaluatorOptions& options);
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  // A variable of the template; names that it does not mention are dropped.
  void define(std::string_view name, Value value);
  Text render();

  Budget& budget() { return budget_; }
  const std::tm& now() const { return options_.now; }

  Value call(const Value& callee, const Arguments& arguments);
  Value call_macro(const Macro& macro, const Arguments& arguments);
  Value call_loop(const Loop& loop, const Value& iterable);
  Value make_namespace(std::vector<std::pair<Text, Value>> attributes);
  // A place for values that lives until the end of the rendering; owned here, so that the values may hold
  // their user.
  ListPtr& remember();

  Value attribute(const Value& object, const Text& name);  // object.name
  Value item(const Value& object, const Value& key);       // object[key]
  ListPtr iterate(const Value& value);                     // what a loop over the value visits
  Value apply_filter(const Value& name, const Value& input, const Arguments& arguments);
  bool apply_test(const Value& name, const Value& subject, const Arguments& arguments);

 private:
  enum class Flow : std::uint8_t { next, leave, again };  // after a statement: go on, break, continue
  class ScopeFrame;
  class SinkFrame;
  class Depth;

  Value evaluate(const Expression& expression);
  Value evaluate_operation(const Expression& expression);
  Value variable(NameId name);
  Value evaluate_sequence(const Expression& expression);
  Value evaluate_dict(const Expression& expression);
  Value evaluate_slice(const Expression& expression);
  Value evaluate_call(const Expression& expression, Arguments extra = {});
  Value evaluate_filter(const Expression& expression);
  Value evaluate_test(const Expression& expression);
  Value evaluate_compare(const Expression& expression);
  Value evaluate_binary(const Expression& expression);
  Value evaluate_concat(const Expression& expression);
  Value filter_text(const Expression& chain, Value input);
  Arguments evaluate_arguments(const CallArguments& call);
  void locate(Failure& failure, const Expression& expression) const;

  Flow execute(const Body& body);
  Flow execute_statement(const Statement& statement);
  Flow run(const DataStatement& statement);
  Flow run(const OutputStatement& statement);
  Flow run(const IfStatement& statement);
  Flow run(const ForStatement& statement);
  Flow run(const SetStatement& statement);
  Flow run(const SetBlockStatement& statement);
  Flow run(const MacroStatement& statement);
  Flow run(const CallBlockStatement& statement);
  Flow run(const FilterBlockStatement& statement);
  Flow run(const ScopeStatement& statement);
  Flow run(const BreakStatement&) { return Flow::leave; }
  Flow run(const ContinueStatement&) { return Flow::again; }

  Flow run_loop(const ForStatement& statement, const Value& iterable, std::uint32_t depth);
  ListPtr filtered(const ForStatement& statement, const ListPtr& items);
  void assign(const Target& target, const Value& value);
  Value make_macro(const MacroStatement& statement);
  void bind(const Signature& signature, const Arguments& arguments);
  const std::shared_ptr<Scope>& keep_scope();

  const Program& program_;
  Budget& budget_;
  const EvaluatorOptions options_;
  std::vector<Value> globals_;        // by NameId
  std::vector<bool> global_defined_;  // by NameId
  std::vector<std::unique_ptr<Namespace>> namespaces_;
  std::vector<std::unique_ptr<ListPtr>> remembered_;
  std::vector<std::shared_ptr<Scope>> kept_scopes_;
  std::shared_ptr<Scope> scope_;
  TextBuilder* sink_ = nullptr;
  Value chain_input_;  // what the filter chain under evaluation applies to
  std::uint32_t depth_ = 0;
  std::uint32_t macro_depth_ = 0;
};

}  // namespace pensieve::model::jinja
