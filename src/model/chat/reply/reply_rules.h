// ReplyRules: the markers of one output format, as data; ReplyFamily: a format as a file of replies/ declares
// it. Not the machine that applies them: marker_parser.h, harmony_parser.h.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/reply.h"
#include "model/chat/reply/call_reader.h"
#include "model/chat/reply/offered_tools.h"

namespace pensieve::model::reply {

struct ReplyRules {
  struct Pair {
    std::string open, close;
  };
  struct CallOpening {
    std::string marker;
    CallReaderFactory reader;
  };
  std::vector<Pair> thinking;     // filled from what the template knows (known_thinking)
  std::vector<Pair> frames;       // around the answer; dropped. An empty close: there is none
  bool frames_anywhere = false;   // else only where a thinking block could open
  std::vector<std::string> ends;  // end of turn
  std::vector<CallOpening> calls;
  std::vector<std::string> inner;  // markers that only readers of calls look for
  CallReaderFactory whole;         // the whole answer may be calls without markers; empty: never
  std::string unwritten;  // begins every part; the prompt ends in it, so the reply lacks the first one
  EnforcedForm form{"", "", "{\"name\": \"", "\", \"arguments\": ", "}", "", ""};  // of enforced answers
  bool harmony = false;                  // channels: harmony_parser.h; only `ends` counts
  std::optional<ThinkingForm> channels;  // how channels mark thinking
};

// A family of templates whose models answer in one format. Of the families whose signs all stand in a
// template's text the one with the most signs is meant.
struct ReplyFamily {
  std::string_view name;
  std::span<const std::string_view> signs;
  void (*fill)(ReplyRules& rules, const OfferedTools& tools);
};

std::span<const ReplyFamily* const> reply_families();  // generated: replies/*.cpp

const ReplyFamily& recognise_family(std::string_view template_source);
std::vector<ReplyRules::Pair> known_thinking(std::string_view template_source);

std::unique_ptr<ReplyParser> make_parser(ReplyRules rules, std::shared_ptr<const OfferedTools> tools,
                                         std::optional<std::string_view> prompt_tail);
// Every text of the format that may be a control token of the model.
std::vector<std::string> markers_of(const ReplyRules& rules);

}  // namespace pensieve::model::reply
