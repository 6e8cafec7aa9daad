// ChatVariables: a ChatRequest as the variables that chat templates expect (the conventions of transformers),
// each text marked with where it comes from. Only what the model's file says and the well-known roles count
// as the template's own.
#pragma once

#include <string>
#include <vector>

#include "core/chat.h"
#include "core/result.h"
#include "model/chat/jinja/value.h"

namespace pensieve::model {

class ChatVariables {
 public:
  // Everything but the messages. Errors: field "chat_template_kwargs".
  static Result<ChatVariables> make(const ChatRequest& request, const std::string& bos_text,
                                    const std::string& eos_text);
  // The dict to render with.
  jinja::Value with_messages(const std::vector<ChatMessage>& messages) const;

 private:
  std::vector<jinja::Dict::Entry> entries_;
};

}  // namespace pensieve::model
