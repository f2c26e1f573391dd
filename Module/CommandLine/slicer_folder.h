// A command of counterwarp writes a folder; of that, what Slicer asked for takes the names that Slicer gave.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "context.h"
#include "files.h"

namespace program {

// A new folder beside an output, which goes with this object, with all that was not handed over.  Slicer cancels a
// module by killing it: the folders of such runs for the same output go with the next one.
class WorkFolder {
 public:
  explicit WorkFolder(const std::string &output) {
    make_folder_of(output);
    remove_abandoned(output);
    // mkdtemp puts a name of its own in place of the X.
    std::string name = output + ".part-" + std::to_string(getpid()) + "-" + std::string(6, 'X');
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
  // OUTPUT.part-PID-abcdef of a process that is no more.
  static void remove_abandoned(const Path &output) {
    const std::string start = output.filename().string() + ".part-";
    std::vector<Path> left;
    std::error_code error;
    for (const auto &entry :
         std::filesystem::directory_iterator(output.parent_path().empty() ? "." : output.parent_path(), error)) {
      const std::string name = entry.path().filename().string();
      if (name.compare(0, start.size(), start) != 0 || !entry.is_directory(error))
        continue;
      char *end = nullptr;
      const long process = std::strtol(name.c_str() + start.size(), &end, 10);
      if (process > 0 && *end == '-' && std::string(end).size() == 7 && kill(static_cast<pid_t>(process), 0) != 0 &&
          errno == ESRCH)
        left.push_back(entry.path());
    }
    for (const Path &folder : left)
      std::filesystem::remove_all(folder, error);
  }

  Path path_;
};

}  // namespace program
