// The syntax tree of a template: plain data, made by the parser, walked by the evaluator. Immutable once
// made, so any number of threads may render from one tree.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

using NameId = std::uint32_t;  // index into Program::names
struct Expression;
struct Statement;
struct FilterEntry;
struct TestEntry;
using ExpressionPtr = std::unique_ptr<const Expression>;
using Body = std::vector<Statement>;

enum class Operation : std::uint8_t {
  constant,  // value
  name,      // name
  list,
  tuple,      // operands
  dict,       // operands: key, value, key, value ...
  attribute,  // operands[0] . value
  item,       // operands[0] [ operands[1] ]
  slice,      // operands[0] [ operands[1] : operands[2] : operands[3] ], the last three may be null
  call,       // operands[0] ( call )
  filter,     // operands[0] | filter ( call ); operands[0] is null at the head of a filter block
  test,       // operands[0] is test ( call )
  negate,
  positive,
  logical_not,
  logical_and,
  logical_or,
  compare,  // operands[0] comparisons[0] operands[1] comparisons[1] ...
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  concat,       // operands joined as texts
  conditional,  // operands[0] if operands[1] else operands[2] (null: undefined)
};

enum class Comparison : std::uint8_t {
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in
};

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<Text, ExpressionPtr>> named;
  ExpressionPtr spread, named_spread;  // *list, **dict; may be null
};

struct Expression {
  Operation operation = Operation::constant;
  std::uint32_t line = 1;
  std::uint32_t begin = 0, end = 0;  // its place in the source, for messages
  std::uint32_t depth = 1;           // levels of expressions, bounded by the parser
  NameId name = 0;
  Value value;  // constant, or the name of an attribute, filter or test as text
  std::vector<ExpressionPtr> operands;
  std::vector<Comparison> comparisons;
  std::unique_ptr<const CallArguments> call;
  const FilterEntry* filter = nullptr;  // null: no such filter, an error only when reached
  const TestEntry* test = nullptr;
};

// What may stand left of "=" or after "for".
struct Target {
  enum class Form : std::uint8_t { name, attribute, tuple } form = Form::name;
  NameId name = 0;
  Text attribute;             // name.attribute, on namespaces only
  std::vector<Target> parts;  // tuple
};

struct Parameter {
  NameId name;
  Text text;
  ExpressionPtr fallback;  // null: undefined when not passed
};

struct Signature {
  std::vector<Parameter> parameters;
  NameId varargs = 0, kwargs = 0, caller = 0;  // the names under which the rest is seen
  Value no_positional, no_named;               // an empty tuple and dict, for calls without a rest
};

struct DataStatement {
  Text text;
};
struct OutputStatement {
  std::vector<ExpressionPtr> values;
};
struct IfStatement {
  struct Branch {
    ExpressionPtr condition;
    Body body;
  };
  std::vector<Branch> branches;
  Body otherwise;
};
struct ForStatement {
  Target target;
  ExpressionPtr iterable, condition;  // condition may be null
  Body body, otherwise;
  bool recursive = false;
  NameId loop = 0;  // the name "loop"
};
struct SetStatement {
  Target target;
  ExpressionPtr value;
};
struct SetBlockStatement {
  Target target;
  ExpressionPtr filter;
  Body body;
};  // filter may be null
struct MacroStatement {
  NameId name = 0;
  Text text;  // its name
  Signature signature;
  Body body;
};
struct CallBlockStatement {
  ExpressionPtr call;
  MacroStatement caller;
};
struct FilterBlockStatement {
  ExpressionPtr filter;
  Body body;
};
struct ScopeStatement {
  std::vector<SetStatement> variables;
  Body body;
};  // with, generation, block
struct BreakStatement {};
struct ContinueStatement {};

struct Statement {
  std::uint32_t line = 1;
  std::variant<DataStatement, OutputStatement, IfStatement, ForStatement, SetStatement, SetBlockStatement,
               MacroStatement, CallBlockStatement, FilterBlockStatement, ScopeStatement, BreakStatement,
               ContinueStatement>
      form;
};

struct Program {
  std::string source;
  std::vector<std::string> names;
  Body body;
};

}  // namespace pensieve::model::jinja
