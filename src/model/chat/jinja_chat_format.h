// The ChatFormat of models that carry a Jinja chat template: conversation in, prompt in pieces out.
// Not the template engine (template.h) and not the reply's parser.
#pragma once

#include <memory>
#include <string>

#include "core/chat.h"
#include "core/result.h"

namespace pensieve::model {

// `bos_text` and `eos_text` are what the template sees as bos_token and eos_token; empty when the model has
// none. Errors: the template's syntax errors. render() answers with the prompt for the conversation as it is
// or, where the template refuses or loses part of it, adapted (adapt_messages.h). Errors: field "messages",
// the template's own message; field "chat_template_kwargs" for template_arguments that are no object or name
// a reserved variable; code exhausted when a budget is spent.
Result<std::unique_ptr<ChatFormat>> make_chat_format(std::string template_source, std::string bos_text,
                                                     std::string eos_text);

}  // namespace pensieve::model
