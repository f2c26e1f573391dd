#include "anatomy.h"

#include "owned.h"

namespace program {

namespace {

const char *const folders[] = {"/usr/share/mricron/templates", "/usr/local/share/mricron/templates",
                               "/usr/share/data/mricron/templates"};

Path locate(const std::string &asked, const char *option, const char *name) {
  if (!asked.empty()) {
    need_file(asked, "the file of " + std::string(option));
    return asked;
  }
  for (const char *folder : folders) {
    const Path file = Path(folder) / name;
    std::error_code error;
    if (std::filesystem::exists(file, error))
      return file;
  }
  throw Failure(std::string(name) + " is not in " + folders[0] +
                ": install Debian's package mricron-data, or name a file with " + option + ".");
}

std::string lower(std::string text) {
  for (char &c : text)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

}  // namespace

Anatomy find_anatomy(const std::string &brain, const std::string &atlas, const std::string &labels) {
  Anatomy anatomy;
  anatomy.brain = locate(brain, "--brain", "ch2bet.nii.gz");
  anatomy.atlas = locate(atlas, "--atlas", "aal.nii.gz");
  anatomy.labels = locate(labels, "--labels", "aal.nii.txt");
  return anatomy;
}

LabelTable::LabelTable(Context &context, const Path &file) {
  Owned<cw_label_names, cw_label_names_free> names(context);
  context.check(cw_label_names_read(context, file.c_str(), names.get()));
  for (int i = 0; i < names->count; i++)
    names_.emplace(names->item[i].label, names->item[i].name);
}

std::string LabelTable::name(int label) const {
  const auto at = names_.find(label);
  return at == names_.end() ? "label " + std::to_string(label) : at->second;
}

std::vector<int> LabelTable::find(const std::string &name) const {
  const std::string wanted = lower(name);
  std::vector<int> exact, sides;
  for (const auto &[label, text] : names_) {
    const std::string have = lower(text);
    if (have == wanted)
      exact.push_back(label);
    for (const char *side : {"_l", "_r"})
      if (have == wanted + side)
        sides.push_back(label);
    for (const char *side : {"left-", "right-"})
      if (have == side + wanted)
        sides.push_back(label);
  }
  return exact.empty() ? sides : exact;
}

}  // namespace program
