// The brain and atlas that are found on this machine, and tables of region names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "files.h"

namespace program {

struct Anatomy {
  Path brain, atlas, labels;
};
// The files asked for, or those of Debian's mricron-data where a name is empty; a clear failure if they are absent.
Anatomy find_anatomy(const std::string &brain, const std::string &atlas, const std::string &labels);

// Names of an atlas's labels.  Lines start with the label and its name: AAL's "1 Precentral_L 2001", FreeSurfer's
// "17 Left-Hippocampus 220 216 20 0", BIDS's TSV with a header.  Lines that do not are passed over.
class LabelTable {
 public:
  explicit LabelTable(const Path &file);
  // The name, or "label N".
  std::string name(int label) const;
  // Labels of that name, or of that name with a side added (_L, _R, Left-, Right-); empty if none.
  std::vector<int> find(const std::string &name) const;

 private:
  std::map<int, std::string> names_;
};

}  // namespace program
