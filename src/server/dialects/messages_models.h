// Models in the form of Anthropic's API: one, and pages of a list.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "manage/services.h"
#include "server/exchange.h"

namespace pensieve::server {

void append_messages_model(const manage::ModelStatus& status, std::string& out);
// {"data","has_more","first_id","last_id"}, as the query asks: "limit" (without it: all), and "after_id" or
// "before_id" of an earlier page.
Result<std::string> messages_models(const std::vector<manage::ModelStatus>& models, const Request& request);

}  // namespace pensieve::server
