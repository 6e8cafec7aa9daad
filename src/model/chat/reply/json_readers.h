// Calls written as JSON between markers, in three arrangements. Not JSON without markers:
// whole_json_reader.h.
#pragma once

#include <string>
#include <vector>

#include "model/chat/reply/call_reader.h"

namespace pensieve::model::reply {

// OPEN {"name": …, "arguments": …} CLOSE, or a list of such objects.
struct TaggedJson {
  std::string open;
  std::string close;  // may be missing at the end; empty: there is none
};
CallReaderFactory tagged_json(TaggedJson syntax);

// [SECTION] OPEN NAME AFTER_NAME {arguments} CLOSE …, where the name has no JSON around it.
struct NamedJson {
  std::string section_open;  // before the first call; empty or missing: none
  std::string open;          // each call
  std::string name_prefix;   // dropped from the name when there, as "functions."
  std::string id_open;       // between name and after_name a call id may stand; empty: never
  std::string after_name;
  std::string fence;                 // opens a code fence around the arguments; empty: none
  std::string close, section_close;  // may be missing at the end
  bool numbered = false;             // ":0" after the name
};
CallReaderFactory named_json(NamedJson syntax);

}  // namespace pensieve::model::reply
