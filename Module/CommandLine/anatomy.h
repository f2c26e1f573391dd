// The brain and atlas that are found on this machine, and tables of region names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "context.h"
#include "files.h"

namespace program {

struct Anatomy {
  Path brain, atlas, labels;
};
// The files asked for, or those of Debian's mricron-data where a name is empty; a clear failure if they are absent.
Anatomy find_anatomy(const std::string &brain, const std::string &atlas, const std::string &labels);

// Names of an atlas's labels, as cw_label_names_read reads them.
class LabelTable {
 public:
  LabelTable(Context &context, const Path &file);
  // The name, or "label N".
  std::string name(int label) const;
  // Labels of that name, or of that name with a side added (_L, _R, Left-, Right-); empty if none.
  std::vector<int> find(const std::string &name) const;

 private:
  std::map<int, std::string> names_;
};

}  // namespace program
