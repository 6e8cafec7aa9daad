// Puts together what the family declares, which thinking tags the template knows, and the model's end token.
#include "model/chat/reply_format.h"

#include <utility>
#include <vector>

#include "model/chat/reply/enforced_parser.h"
#include "model/chat/reply/piece_writer.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model {
namespace {

class FamilyReplyFormat final : public ReplyFormat {
 public:
  FamilyReplyFormat(std::string_view template_source, std::string eos_text)
      : family_(reply::recognise_family(template_source)),
        thinking_(reply::known_thinking(template_source)),
        eos_text_(std::move(eos_text)),
        markers_(reply::markers_of(rules_for(reply::OfferedTools()))) {}

  std::unique_ptr<ReplyParser> parser(const ChatRequest& request,
                                      std::optional<std::string_view> prompt_tail) const override {
    std::shared_ptr<const reply::OfferedTools> tools = reply::OfferedTools::from(request);
    return reply::make_parser(rules_for(*tools), tools, prompt_tail);
  }
  EnforcedForm enforced_form() const override {
    const reply::ReplyRules rules = rules_for(reply::OfferedTools());
    EnforcedForm form = rules.form;
    if (form.openers.empty()) {
      for (const reply::ReplyRules::CallOpening& call : rules.calls) form.openers.push_back(call.marker);
    }
    form.bare = rules.whole != nullptr;
    return form;
  }
  std::unique_ptr<ReplyParser> enforced_parser(std::string_view prompt_tail) const override {
    return std::make_unique<reply::EnforcedParser>(enforced_form(), thinking(prompt_tail));
  }
  std::optional<ThinkingForm> thinking(std::string_view prompt_tail) const override {
    if (const reply::ReplyRules rules = rules_for(reply::OfferedTools()); rules.channels)
      return rules.channels;
    const std::string_view tail = reply::without_trailing_space(prompt_tail);
    for (const reply::ReplyRules::Pair& tags : thinking_) {
      if (tail.ends_with(tags.open)) return ThinkingForm{tags.open, tags.close, true};
      if (tail.ends_with(tags.close)) return std::nullopt;
    }
    if (thinking_.empty()) return std::nullopt;
    return ThinkingForm{thinking_.front().open, thinking_.front().close, false};
  }
  std::span<const std::string> markers() const override { return markers_; }

 private:
  reply::ReplyRules rules_for(const reply::OfferedTools& tools) const {
    reply::ReplyRules rules;
    family_.fill(rules, tools);
    rules.thinking = thinking_;
    if (!eos_text_.empty()) rules.ends.push_back(eos_text_);
    return rules;
  }

  const reply::ReplyFamily& family_;
  std::vector<reply::ReplyRules::Pair> thinking_;
  std::string eos_text_;
  std::vector<std::string> markers_;
};

}  // namespace

std::unique_ptr<ReplyFormat> make_reply_format(std::string_view template_source,
                                               const std::string& eos_text) {
  return std::make_unique<FamilyReplyFormat>(template_source, eos_text);
}

}  // namespace pensieve::model
