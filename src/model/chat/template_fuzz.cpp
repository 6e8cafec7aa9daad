// Fuzz target: any bytes as a template, rendered over a small conversation with small budgets. The first byte
// chooses whether the rest is the template or text inside a message.
#include <cstdint>
#include <string>
#include <string_view>

#include "model/chat/jinja_chat_format.h"
#include "model/chat/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using pensieve::model::Template;
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 4 == 0) {
    const auto format = pensieve::model::make_chat_format(
        "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{{ m.content.split() | join('<s>') }}{{ "
        "m | tojson }}{{ m }}{{ m.content[::-2] }}{% endfor %}",
        "<s>", "</s>");
    pensieve::ChatRequest request;
    pensieve::ChatMessage message;
    message.role = "user";
    message.content = text;
    request.messages = {message, message};
    const auto prompt = (*format)->render(request);
    if (!prompt && prompt.error().code == pensieve::Error::Code::internal) __builtin_trap();
    return 0;
  }
  const auto parsed = Template::parse(text);
  if (!parsed) return 0;
  pensieve::model::RenderOptions options;
  options.steps = 20'000;
  options.memory_bytes = std::size_t{8} << 20;
  options.output_bytes = std::size_t{1} << 20;
  options.clock = "2026-01-02 15:04:05";
  const pensieve::util::Json variables{
      {"messages",
       {{{"role", "user"}, {"content", "Hello \xC3\xA9<b>"}}, {{"role", "assistant"}, {"content", nullptr}}}},
      {"l", {3, 1, 2}},
      {"d", {{"b", 1}, {"a", "x"}}},
      {"n", 7},
      {"f", 2.5},
      {"s", " some Text "},
      {"bos_token", "<s>"},
      {"add_generation_prompt", true}};
  (void)parsed->render(variables, options);
  return 0;
}
