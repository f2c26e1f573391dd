// Files and folders: whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace program {

using Path = std::filesystem::path;
using Json = nlohmann::ordered_json;

// Creates a folder and its parents.
void make_folder(const Path &folder);
// The folder that a file is to stand in.
void make_folder_of(const Path &file);
// Fails with a clear sentence unless the file can be opened for reading.
void need_file(const Path &file, const std::string &what);
std::string read_text(const Path &file);
// Writes beside the target, syncs, then renames: the file appears whole under its name or not at all.
void write_text(const Path &file, const std::string &text);
// Removes a file if it exists; anything but its absence is a failure.
void remove_file(const Path &file);

Json read_json(const Path &file);
void write_json(const Path &file, const Json &json);
// JSON in one string; bytes that are not UTF-8 are replaced.
std::string json_text(const Json &json, int indent = 2);

// Tab separated values with a header line.
struct Rows {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  int column(const std::string &name) const;  // -1 if absent
};
Rows read_tsv(const Path &file);
void write_tsv(const Path &file, const Rows &rows);

// Number for people and tables: `digits` significant digits, "n/a" if not finite.
std::string number(double value, int digits = 6);
// Path of `file` as seen from `folder`, for files that name each other.
std::string relative_to(const Path &folder, const Path &file);
// FNV-1a of a file's bytes, as 16 hexadecimal digits: tells one model from another.
std::string fingerprint(const Path &file);
// File name without .nii, .nii.gz and folders.
std::string stem_of(const Path &file);
bool is_nifti_name(const Path &file);
// Prints to stdout; a full disk or a closed pipe is a failure.
void print(const std::string &text);

}  // namespace program
