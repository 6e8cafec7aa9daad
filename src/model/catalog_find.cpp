// How a reference becomes one model, or an error that helps: the nearest names, or the candidates.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

#include "model/catalog.h"
#include "model/formats/findings.h"
#include "model/formats/hf_folder.h"
#include "model/loaded_model.h"
#include "model/model_name.h"

namespace pensieve::model {
namespace {

using Entries = std::vector<CatalogEntry>;
using Matches = std::vector<const CatalogEntry*>;

Matches matching(const Entries& entries, const std::function<bool(const std::string&)>& wanted) {
  Matches matches;
  for (const CatalogEntry& entry : entries) {
    if (wanted(entry.name) || std::any_of(entry.aliases.begin(), entry.aliases.end(), wanted))
      matches.push_back(&entry);
  }
  return matches;
}

// The first way of reading the name that means anything decides.
Matches candidates(const Entries& entries, const std::string& name) {
  const std::string lower = lower_case(name);
  Matches matches = matching(entries, [&](const std::string& known) { return known == name; });
  if (matches.empty())
    matches = matching(entries, [&](const std::string& known) { return lower_case(known) == lower; });
  if (!matches.empty()) return matches;
  std::string beginning = lower;
  if (const std::string_view latest = ":latest"; lower.size() > latest.size() && lower.ends_with(latest)) {
    beginning.resize(lower.size() - latest.size());
  }
  return matching(entries,
                  [&](const std::string& known) { return lower_case(known).starts_with(beginning); });
}

tl::unexpected<Error> ambiguous(const std::string& name, const Matches& matches) {
  std::vector<std::string> names;
  for (const CatalogEntry* match : matches) names.push_back(match->name);
  std::sort(names.begin(), names.end());
  return fail(Error::Code::invalid,
              fmt::format("'{}' could be any of: {}; give one of these", name, fmt::join(names, ", ")),
              "model", "model_ambiguous");
}

tl::unexpected<Error> not_found(const std::string& shown, std::string_view name, const Entries& entries) {
  constexpr std::size_t kSuggestions = 3;
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const CatalogEntry& entry : entries) {
    std::size_t distance = edit_distance(lower_case(name), lower_case(entry.name));
    for (const std::string& alias : entry.aliases) {
      distance = std::min(distance, edit_distance(lower_case(name), lower_case(alias)));
    }
    near.emplace_back(distance, entry.name);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(near.size(), kSuggestions); ++i) names.push_back(near[i].second);
  const std::string hint =
      names.empty() ? "no model is installed" : fmt::format("the nearest are: {}", fmt::join(names, ", "));
  return fail(Error::Code::not_found, fmt::format("there is no model {}; {}", shown, hint), "model",
              "model_not_found");
}

bool looks_like_path(const std::string& reference) {
  return reference.starts_with("/") || reference.starts_with("./") || reference.starts_with("../") ||
         reference.ends_with(".gguf");
}

}  // namespace

Result<CatalogEntry> Catalog::find(std::string_view name) {
  const CatalogListing listing = scan();
  const std::string wanted(name);
  if (!valid_name(name)) return not_found(printable(name), name, listing.entries);
  const Matches matches = candidates(listing.entries, wanted);
  if (matches.empty()) return not_found(printable(name), name, listing.entries);
  if (matches.size() > 1) return ambiguous(wanted, matches);
  return *matches.front();
}

Result<CatalogEntry> Catalog::resolve(const std::string& reference) {
  std::error_code ignored;
  const bool is_there = std::filesystem::is_regular_file(reference, ignored) || is_hf_folder(reference);
  if (!looks_like_path(reference) && !is_there) {
    return find(reference);
  }
  std::vector<Examined> examined = examiner_({reference});
  if (examined.empty())
    return fail(Error::Code::internal, fmt::format("{} was not examined; try again", printable(reference)));
  Examined& file = examined.front();
  if (file.refusal) return tl::unexpected(std::move(*file.refusal));
  CatalogEntry entry{.name = file.info.name};
  entry.info = std::move(file.info);
  return entry;
}

}  // namespace pensieve::model
