// What the page says about saliency maps.
#include "report_parts.h"

namespace program {

Json sanity_verdict(const Json &sanity) {
  Json list = Json::array();
  if (sanity.is_null())
    return list;
  std::string names[3];
  const char *const words[] = {"depends", "does not depend", "undecided"};
  for (const Json &item : sanity.at("methods"))
    for (int k = 0; k < 3; k++)
      if (item.at("on_weights") == words[k])
        names[k] += (names[k].empty() ? "" : ", ") + item.at("method").get<std::string>();
  if (!names[0].empty())
    list.push_back(
        {{"state", "good"}, {"text", "These saliency maps depend on the classifier's weights: " + names[0] + "."}});
  if (!names[1].empty())
    list.push_back({{"state", "poor"},
                    {"text",
                     "These do not: with the head re-drawn they look more like themselves than those of two scans "
                     "do: " +
                         names[1] + "."}});
  if (!names[2].empty())
    list.push_back({{"state", "open"}, {"text", "For these the scans were too few to tell: " + names[2] + "."}});
  return list;
}

}  // namespace program
