// Calls written as Python: name(key="text", other=[1, None]). Literals only: nothing is ever run.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/chat/reply/call_reader.h"
#include "util/json.h"

namespace pensieve::model::reply {

// A literal at `at`, which is moved past it. Nothing: no literal. Depth is limited.
std::optional<util::Json> python_literal(std::string_view text, std::size_t& at);
// name(key=literal, …) at `at`, which is moved past it.
std::optional<ParsedCall> python_call(std::string_view text, std::size_t& at);
// One or more calls with nothing between but white space and, in lists, commas.
std::optional<std::vector<ParsedCall>> python_calls(std::string_view text);

// OPEN [call, …] CLOSE; CLOSE may be missing at the end.
CallReaderFactory python_list(std::string open, std::string close);
// OPEN … CLOSE around lines of calls, each to an offered tool (Gemma's ```tool_code fence).
CallReaderFactory python_block(std::string open, std::string close);
// After OPEN until the end of the reply: JSON calls, TOOL.call(…), or code for the offered tool that runs
// Python.
CallReaderFactory python_tag(std::string open);

}  // namespace pensieve::model::reply
