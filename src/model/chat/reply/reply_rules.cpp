// Recognition: from a template's own text to the family and the thinking tags that its model uses.
#include "model/chat/reply/reply_rules.h"

#include <algorithm>
#include <array>

#include "model/chat/reply/harmony_parser.h"
#include "model/chat/reply/marker_parser.h"

namespace pensieve::model::reply {

const ReplyFamily& recognise_family(std::string_view template_source) {
  const ReplyFamily* best = nullptr;
  for (const ReplyFamily* family : reply_families()) {
    const bool all = std::all_of(family->signs.begin(), family->signs.end(), [&](std::string_view sign) {
      return template_source.find(sign) != std::string_view::npos;
    });
    if (all && (best == nullptr || family->signs.size() > best->signs.size())) best = family;
  }
  return *best;  // the generic family has no signs, so there is always one
}

std::vector<ReplyRules::Pair> known_thinking(std::string_view template_source) {
  struct Tags {
    std::string_view open, close;
  };
  constexpr std::array<Tags, 5> kTags{{{"<think>", "</think>"},
                                       {"[THINK]", "[/THINK]"},
                                       {"<|START_THINKING|>", "<|END_THINKING|>"},
                                       {"<|channel>thought", "<channel|>"},
                                       {"<seed:think>", "</seed:think>"}}};
  std::vector<ReplyRules::Pair> known;
  for (const Tags& tags : kTags) {
    if (template_source.find(tags.open) != std::string_view::npos ||
        template_source.find(tags.close) != std::string_view::npos)
      known.push_back({std::string(tags.open), std::string(tags.close)});
  }
  return known;
}

std::unique_ptr<ReplyParser> make_parser(ReplyRules rules, std::shared_ptr<const OfferedTools> tools,
                                         std::optional<std::string_view> prompt_tail) {
  if (rules.harmony) return std::make_unique<HarmonyParser>(std::move(rules.ends), std::move(tools));
  return std::make_unique<MarkerParser>(std::move(rules), std::move(tools), prompt_tail);
}

std::vector<std::string> markers_of(const ReplyRules& rules) {
  std::vector<std::string> all = rules.ends;
  all.insert(all.end(), rules.inner.begin(), rules.inner.end());
  const auto add = [&all](const std::string& text) {
    if (!text.empty()) all.push_back(text);
  };
  for (const ReplyRules::Pair& pair : rules.thinking) {
    add(pair.open);
    add(pair.close);
  }
  for (const ReplyRules::Pair& pair : rules.frames) {
    add(pair.open);
    add(pair.close);
  }
  for (const ReplyRules::CallOpening& call : rules.calls) add(call.marker);
  return all;
}

}  // namespace pensieve::model::reply
