// Filters that yield texts.
#include <fmt/format.h>

#include <array>

#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/filters.h"
#include "model/chat/jinja/json_output.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/parameters.h"
#include "model/chat/jinja/printing.h"
#include "model/chat/jinja/text_format.h"
#include "model/chat/jinja/text_operations.h"
#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

template <std::string (*map)(std::string_view)>
Value mapped(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("text filter", arguments, {});
  return Value(map_text(evaluator.budget(), to_text(evaluator.budget(), input), map));
}

// Every word (between white space, hyphens and opening brackets) with its first letter raised, the rest
// lowered.
std::string title_words(std::string_view text) {
  std::string out;
  std::size_t begin = 0;
  const auto flush = [&](std::size_t end) {
    if (begin == end) return;
    const std::size_t first = character_size(text, begin);
    out += to_upper(text.substr(begin, first));
    out += to_lower(text.substr(begin + first, end - begin - first));
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text, at);
    const bool space = strip(text.substr(at, size), {}, Side::left).begin == size;
    if (space || std::string_view("-({[<").find(text[at]) != std::string_view::npos) {
      flush(at);
      out += text.substr(at, size);
      begin = at + size;
    }
    at += size;
  }
  flush(text.size());
  return out;
}

Value as_text(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("string", arguments, {});
  return Value(to_text(evaluator.budget(), input));
}

Value trim(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("trim", arguments, {"chars"});
  const Text text = to_text(evaluator.budget(), input);
  if (parameters.given(0) && parameters.text(0).empty()) return Value(text);
  const Text set = parameters.text_or(0, Text());
  return Value(strip_text(evaluator.budget(), text, set.view(), Side::both));
}

Value replace(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("replace", arguments, {"old", "new", "count"}, 2);
  Budget& budget = evaluator.budget();
  return Value(replace_text(budget, to_text(budget, input), to_text(budget, parameters.value(0)),
                            to_text(budget, parameters.value(1)), parameters.integer_or(2, -1)));
}

Value indent(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("indent", arguments, {"width", "first", "blank"});
  Budget& budget = evaluator.budget();
  TextBuilder margin(budget);
  if (parameters.given(0) && parameters.value(0).is(Kind::text)) {
    margin.append(parameters.text(0));
  } else {
    const std::int64_t width = parameters.integer_or(0, 4);
    margin.fill(width > 0 ? static_cast<std::size_t>(width) : 0, " ");
  }
  const Text space = std::move(margin).finish();
  TextBuilder ended(budget);  // the last line must not get lost when it is empty
  append_text(ended, input);
  ended.append("\n");
  const std::vector<Text> lines = split_lines(budget, std::move(ended).finish(), false);
  TextBuilder out(budget);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    budget.step();
    if (i > 0) out.append("\n");
    const bool wanted = i == 0 ? parameters.flag(1) : parameters.flag(2) || !lines[i].empty();
    if (wanted) out.append(space);
    out.append(lines[i]);
  }
  return Value(std::move(out).finish());
}

Value truncate(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("truncate", arguments, {"length", "killwords", "end", "leeway"});
  Budget& budget = evaluator.budget();
  const Text text = to_text(budget, input);
  const Text end = parameters.text_or(2, Text("..."));
  const std::int64_t length = parameters.integer_or(0, 255), leeway = parameters.integer_or(3, 5);
  const auto tail = static_cast<std::int64_t>(end.length());
  if (length < tail || leeway < 0)
    fail_runtime(fmt::format("truncate(): expected length >= {} and leeway >= 0, got {} and {}", tail, length,
                             leeway));
  const auto characters = static_cast<std::int64_t>(text.length());
  if (characters <= length || characters - length <= leeway) return Value(text);
  std::size_t kept = text.position(static_cast<std::size_t>(length - tail));
  if (!parameters.flag(1)) {
    const std::size_t space = text.view().substr(0, kept).rfind(' ');
    if (space != std::string_view::npos) kept = space;
  }
  TextBuilder out(budget);
  out.append(text, 0, kept);
  out.append(end);
  return Value(std::move(out).finish());
}

Value center(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const std::int64_t width = Parameters("center", arguments, {"width"}).integer_or(0, 80);
  return Value(pad_text(evaluator.budget(), to_text(evaluator.budget(), input), width, " ", Pad::center));
}

Value escape(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("escape", arguments, {});
  TextBuilder out(evaluator.budget());
  append_escaped(out, to_text(evaluator.budget(), input));
  out.mark_markup();
  return Value(std::move(out).finish());
}

Value force_escape(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  TextBuilder plain(evaluator.budget());
  append_text(plain, input);
  return escape(evaluator, Value(std::move(plain).finish()), arguments);
}

Value safe(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("safe", arguments, {});
  TextBuilder out(evaluator.budget());
  append_text(out, input);
  out.mark_markup();
  return Value(std::move(out).finish());
}

// As in a path, or as in a query: there a blank becomes "+" and a slash is encoded.
std::string percent_encode(std::string_view text, bool query) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= 'a' && byte <= 'z') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos || (!query && c == '/');
    if (plain) {
      out += c;
    } else if (query && c == ' ') {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

Value urlencode(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("urlencode", arguments, {});
  Budget& budget = evaluator.budget();
  const auto encoded = [&budget](const Value& value, bool query) {
    const Text text = to_text(budget, value);
    const Charge charge(&budget, text.size() * 3);
    budget.scan(text.size());
    return derive(budget, percent_encode(text.view(), query), text);
  };
  if (!input.is(Kind::dict)) return Value(encoded(input, false));
  TextBuilder out(budget);
  for (const Dict::Entry& entry : input.dict()->entries) {
    if (out.size() > 0) out.append("&");
    out.append(encoded(entry.key, true));
    out.append("=");
    out.append(encoded(entry.value, true));
  }
  return Value(std::move(out).finish());
}

Value format(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Budget& budget = evaluator.budget();
  if (!arguments.named.empty()) {
    if (!arguments.positional.empty()) fail_runtime("format() takes positional or named arguments, not both");
    DictBuilder named(&budget);
    for (const auto& [name, value] : arguments.named) named.set(Value(name), value);
    return Value(format_percent(budget, to_text(budget, input), std::move(named).finish()));
  }
  ListBuilder values(&budget);
  for (const Value& value : arguments.positional) values.push(value);
  return Value(format_percent(budget, to_text(budget, input), std::move(values).finish(ListForm::tuple)));
}

std::string indent_text(const Value& value) {
  if (value.is(Kind::text)) return std::string(value.view());
  if (!value.is_integral())
    fail_runtime(fmt::format("tojson(): indent must be int or str, not {}", value.type_name()));
  constexpr std::int64_t kWidest = 1000;
  if (value.integer() > kWidest) fail_budget(fmt::format("tojson(): indent is larger than {}", kWidest));
  return std::string(value.integer() > 0 ? static_cast<std::size_t>(value.integer()) : 0, ' ');
}

Value tojson(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = parameters.flag(0);
  style.sort_keys = parameters.flag(3);
  if (parameters.given(1)) {
    style.indent = indent_text(parameters.value(1));
    style.item_separator.assign(1, ',');
  }
  if (parameters.given(2)) {
    const ListPtr pair = evaluator.iterate(parameters.value(2));
    if (pair->items.size() != 2 || !pair->items[0].is(Kind::text) || !pair->items[1].is(Kind::text))
      fail_runtime("tojson(): separators must be two strings");
    style.item_separator = pair->items[0].view();
    style.key_separator = pair->items[1].view();
  }
  TextBuilder out(evaluator.budget());
  append_json(out, input, style);
  return Value(std::move(out).finish());
}

Value wordcount(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("wordcount", arguments, {});
  const Text text = to_text(evaluator.budget(), input);
  evaluator.budget().scan(text.size());
  std::size_t count = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text.view(), at);
    const bool word = is_word(util::decode_utf8(text.view(), at).value);
    count += word && !inside;
    inside = word;
    at += size;
  }
  return Value::size(count);
}

constexpr std::array<FilterEntry, 18> kFilters{{
    {"upper", mapped<to_upper>},
    {"lower", mapped<to_lower>},
    {"title", mapped<title_words>},
    {"capitalize", mapped<capitalize>},
    {"string", as_text},
    {"safe", safe},
    {"trim", trim},
    {"replace", replace},
    {"indent", indent},
    {"truncate", truncate},
    {"center", center},
    {"escape", escape},
    {"e", escape},
    {"forceescape", force_escape},
    {"urlencode", urlencode},
    {"format", format},
    {"tojson", tojson},
    {"wordcount", wordcount},
}};

}  // namespace

std::span<const FilterEntry> text_filters() {
  return kFilters;
}

}  // namespace pensieve::model::jinja
