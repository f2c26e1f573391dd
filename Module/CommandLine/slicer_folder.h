// A command of counterwarp writes a folder; of that, what Slicer asked for takes the names that Slicer gave.
#pragma once

#include <unistd.h>

#include <cstdlib>

#include "context.h"
#include "files.h"

namespace program {

// A new folder beside an output, which goes with this object, with all that was not handed over.
class WorkFolder {
 public:
  explicit WorkFolder(const std::string &output) {
    make_folder_of(output);
    std::string name = output + ".part-" + std::string(6, 'X');  // mkdtemp puts a name of its own in place of these
    if (!mkdtemp(name.data()))
      throw Failure(output + ": cannot be written (no folder can be made beside it).");
    path_ = name;
  }
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
    if (error == std::errc::cross_device_link) {
      const WorkFolder there(wanted);  // the file still appears whole
      std::filesystem::copy_file(path_ / name, there.path_ / name, error);
      if (!error)
        std::filesystem::rename(there.path_ / name, wanted, error);
    }
    if (error)
      throw Failure(wanted + ": cannot be written (" + error.message() + ").");
  }

 private:
  Path path_;
};

}  // namespace program
