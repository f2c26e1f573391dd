// Runs the program and looks at what it leaves.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

struct Outcome {
  int code;  // exit code, or 128 + signal
  std::string out, err;
};

using Arguments = std::vector<std::string>;
using Path = std::filesystem::path;

// Runs the program to its end.  started is called with its process id right after the start.
Outcome run(const Arguments &arguments, const std::function<void(int)> &started = nullptr);
// Runs a shell line in which $CW stands for the program.
Outcome run_shell(const std::string &line);

// A folder of its own, removed at the end.
class Folder {
 public:
  Folder();
  ~Folder();
  Path operator/(const std::string &name) const { return path_ / name; }
  std::string name(const std::string &file) const { return (path_ / file).string(); }

 private:
  Path path_;
};

std::string text_of(const Path &file);
void write_file(const Path &file, const std::string &text);
nlohmann::json json_of(const Path &file);
// Rows of a TSV by column name.
std::vector<nlohmann::json> rows_of(const Path &file);
// Files left over from a write that did not end.
int leftovers(const Path &folder);

// Two groups of spheres: quick to make, enough to train on.
void make_spheres(const Folder &folder, int subjects);
