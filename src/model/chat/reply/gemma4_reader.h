// Gemma 4's calls: <|tool_call>call:NAME{key:<|"|>text<|"|>,other:[1,null]}<tool_call|>.
#pragma once

#include "model/chat/reply/call_reader.h"

namespace pensieve::model::reply {

CallReaderFactory gemma4_calls();

}  // namespace pensieve::model::reply
