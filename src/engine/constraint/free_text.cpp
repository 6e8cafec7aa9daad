// Languages over bytes, put together from "contains", "begins with" and their complements. The byte before
// the spelling of a control token counts as nothing: a marker is a marker, however it is written.
#include "engine/constraint/free_text.h"

#include <memory>
#include <vector>

#include "engine/constraint/dfa.h"
#include "engine/constraint/regex.h"
#include "engine/constraint/token_trie.h"

namespace pensieve::engine::constraint {
namespace {

constexpr auto kControlByte = static_cast<std::uint8_t>(kControl);

// What the reader of bare calls takes for the beginning of one.
constexpr const char* kBareCall =
    "[ \\t\\r\\n]*(?:```(?:json)?[ \\t\\r\\n]+)?(?:\\[[ \\t\\r\\n]*)?\\{[ \\t\\r\\n]*"
    "\"(?:name|arguments|parameters|type|id|function)\"";

Part any_byte(Graph& graph) {
  const Part part{graph.node(), graph.node()};
  graph.bytes(part.in, 0x00, 0xFF, part.out);
  return part;
}

Part anything(Graph& graph) {
  return graph.star(any_byte(graph));
}

Part one_of(Graph& graph, const std::vector<std::string>& openers) {
  std::vector<Part> parts;
  for (const std::string& opener : openers) parts.push_back(marker(graph, opener));
  return graph.choice(parts);
}

using SharedWork = std::shared_ptr<Work>;

Dfa all_texts(const SharedWork& work) {
  Graph graph(work);
  return Dfa::of(graph, anything(graph));
}

// Texts that begin like a call without an opener, or with thinking.
Dfa bare_beginnings(const std::optional<ThinkingForm>& thinking, const SharedWork& work) {
  Graph graph(work);
  std::vector<Part> parts{compile_regex(kBareCall, Spelling::plain, false).emit(graph)};
  if (thinking && !thinking->is_open) {
    const Part blank = compile_regex("[ \\t\\r\\n]*", Spelling::plain, false).emit(graph);
    parts.push_back(graph.sequence({blank, marker(graph, thinking->open)}));
  }
  return Dfa::of(graph, graph.sequence({graph.choice(parts), anything(graph)}));
}

// `texts` that may stand for themselves: see text_without_call.
Part allowed_of(Graph& graph, Dfa texts, const EnforcedForm& form,
                const std::optional<ThinkingForm>& thinking) {
  if (form.bare) texts = texts.without(bare_beginnings(thinking, graph.work()));
  return texts.emit(graph);
}

}  // namespace

Part marker(Graph& graph, const std::string& text) {
  const Part part = graph.literal(text);
  for (Node node = part.in; node != part.out;) {
    const Node next = graph.vertex(node).bytes.front().to;
    graph.bytes(node, kControlByte, kControlByte, node);
    node = next;
  }
  return part;
}

std::string opener_of(const EnforcedForm& form) {
  const std::string beginning =
      form.parameters ? form.parameters->open + form.parameters->before_name : form.open + form.before_name;
  std::string found;
  for (const std::string& opener : form.openers) {
    if (opener.size() > found.size() && beginning.starts_with(opener)) found = opener;
  }
  return found;
}

Part text_up_to(Graph& graph, const std::string& end) {
  const std::size_t begin = end.find_first_not_of('\n'), last = end.find_last_not_of('\n');
  const std::string core = end.substr(begin, last - begin + 1);
  Graph first(graph.work()), earlier(graph.work());
  const auto text = [](Graph& own) {
    const Part byte{own.node(), own.node()};
    own.bytes(byte.in, 0x00, kControlByte - 1, byte.out);
    return own.star(byte);
  };
  const Dfa ends = Dfa::of(first, first.sequence({text(first), marker(first, end.substr(0, last + 1))}));
  const Dfa before =
      Dfa::of(earlier,
              earlier.sequence({text(earlier), marker(earlier, core), any_byte(earlier), anything(earlier)}));
  return graph.sequence({ends.without(before).emit(graph), graph.literal(end.substr(last + 1))});
}

Part text_without_call(Graph& graph, const EnforcedForm& form, const std::optional<ThinkingForm>& thinking) {
  Dfa texts = all_texts(graph.work());
  if (!form.openers.empty()) {
    Graph own(graph.work());
    const Part with = own.sequence({anything(own), one_of(own, form.openers), anything(own)});
    texts = texts.without(Dfa::of(own, with));
  }
  return allowed_of(graph, std::move(texts), form, thinking);
}

Part text_and_opener(Graph& graph, const EnforcedForm& form, const std::optional<ThinkingForm>& thinking) {
  const std::string opener = opener_of(form);
  if (opener.empty()) throw Refusal("the form of calls begins with no opener");
  Graph first(graph.work()), earlier(graph.work());
  const Dfa ends = Dfa::of(first, first.sequence({anything(first), marker(first, opener)}));
  const Part before = earlier.sequence(
      {anything(earlier), one_of(earlier, form.openers), any_byte(earlier), anything(earlier)});
  return allowed_of(graph, ends.without(Dfa::of(earlier, before)), form, thinking);
}

}  // namespace pensieve::engine::constraint
