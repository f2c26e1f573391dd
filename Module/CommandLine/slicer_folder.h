// A command of counterwarp writes a folder; of that, what Slicer asked for takes the names that Slicer gave.
#pragma once

#include "context.h"
#include "files.h"

namespace program {

// The folder lies beside an output and goes with this object, with all that was not handed over.
class WorkFolder {
 public:
  explicit WorkFolder(const std::string &output) : path_(output + ".part") {}
  ~WorkFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  WorkFolder(const WorkFolder &) = delete;
  WorkFolder &operator=(const WorkFolder &) = delete;

  const Path &path() const { return path_; }
  // Nothing where Slicer did not ask for the file.
  void hand_over(const Path &name, const std::string &wanted) const {
    if (wanted.empty())
      return;
    std::error_code error;
    std::filesystem::rename(path_ / name, wanted, error);
    if (error)
      throw Failure(wanted + ": cannot be written (" + error.message() + ").");
  }

 private:
  Path path_;
};

}  // namespace program
