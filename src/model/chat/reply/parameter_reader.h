// Calls with one element for each parameter: <parameter=KEY>VALUE</parameter>,
// <arg_key>K</arg_key><arg_value>V… Values have no escapes: they end at their closing tag. Not for JSON
// arguments.
#pragma once

#include <string>

#include "model/chat/reply/call_reader.h"

namespace pensieve::model::reply {

struct ParameterSyntax {
  std::string section_open, section_close;  // around all calls; empty: none
  std::string call_open;                    // before the name
  std::string name_end;                     // after the name; empty: white space or the next tag
  std::string key_open, key_end;            // around a key
  std::string value_open;                   // between key and value; empty: the value follows at once
  std::string value_end;
  std::string call_close;
  bool one_newline = false;  // a value drops one newline on each side
  bool several = false;      // a section may hold several calls
};
CallReaderFactory parameter_calls(ParameterSyntax syntax);

}  // namespace pensieve::model::reply
