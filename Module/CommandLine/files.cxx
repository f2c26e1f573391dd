#include "files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "context.h"

namespace program {

namespace fs = std::filesystem;

void make_folder(const Path &folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder))
    throw Failure(folder.string() + ": the folder cannot be created" + (error ? " (" + error.message() + ")." : "."));
}

void make_folder_of(const Path &file) {
  if (file.has_parent_path())
    make_folder(file.parent_path());
}

void need_file(const Path &file, const std::string &what) {
  std::error_code error;
  if (fs::is_directory(file, error))
    throw Failure(file.string() + ": is a folder, not " + what + ".");
  if (access(file.c_str(), R_OK) != 0)
    throw Failure(file.string() + ": " + what + " cannot be read (" + std::strerror(errno) + ").");
}

std::string read_text(const Path &file) {
  need_file(file, "the file");
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (in.peek() != std::ifstream::traits_type::eof())
    text << in.rdbuf();
  if (in.bad() || text.fail())
    throw Failure(file.string() + ": reading failed.");
  return text.str();
}

void write_text(const Path &file, const std::string &text) {
  Path beside = file;
  beside += ".part";
  const auto fail = [&](const char *what) {
    const std::string reason = std::strerror(errno);
    unlink(beside.c_str());
    throw Failure(file.string() + ": " + what + " (" + reason + ").");
  };
  const int handle = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (handle < 0)
    fail("cannot be written");
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(handle, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      close(handle);
      fail("writing failed");
    }
    done += static_cast<size_t>(n);
  }
  if (fsync(handle) != 0 && errno != EINVAL) {
    close(handle);
    fail("writing failed");
  }
  if (close(handle) != 0 || std::rename(beside.c_str(), file.c_str()) != 0)
    fail("cannot be written");
}

void remove_file(const Path &file) {
  std::error_code error;
  fs::remove(file, error);
  if (error)
    throw Failure(file.string() + ": cannot be removed (" + error.message() + ").");
}

Json read_json(const Path &file) {
  try {
    return Json::parse(read_text(file));
  } catch (const nlohmann::json::exception &) {
    throw Failure(file.string() + ": is not valid JSON.");
  }
}

std::string json_text(const Json &json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

void write_json(const Path &file, const Json &json) {
  write_text(file, json_text(json) + "\n");
}

int Rows::column(const std::string &name) const {
  for (size_t i = 0; i < columns.size(); i++)
    if (columns[i] == name)
      return static_cast<int>(i);
  return -1;
}

Rows read_tsv(const Path &file) {
  Rows table;
  std::istringstream text(read_text(file));
  std::string line;
  bool first = true;
  while (std::getline(text, line)) {
    if (!line.empty() && line.back() == '\r')
      line.pop_back();
    if (line.empty())
      continue;
    std::vector<std::string> cells;
    size_t from = 0, tab;
    while ((tab = line.find('\t', from)) != std::string::npos) {
      cells.push_back(line.substr(from, tab - from));
      from = tab + 1;
    }
    cells.push_back(line.substr(from));
    if (first) {
      table.columns = cells;
    } else {
      cells.resize(table.columns.size(), "n/a");
      table.rows.push_back(cells);
    }
    first = false;
  }
  return table;
}

void write_tsv(const Path &file, const Rows &table) {
  std::string text;
  const auto line = [&](const std::vector<std::string> &cells) {
    for (size_t i = 0; i < cells.size(); i++)
      text += (i ? "\t" : "") + cells[i];
    text += '\n';
  };
  line(table.columns);
  for (const auto &row : table.rows)
    line(row);
  write_text(file, text);
}

std::string number(double value, int digits) {
  if (!std::isfinite(value))
    return "n/a";
  char text[48];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}

std::string relative_to(const Path &folder, const Path &file) {
  std::error_code error;
  const Path relative = fs::proximate(file, folder, error);
  return (error ? fs::absolute(file) : relative).generic_string();
}

std::string fingerprint(const Path &file) {
  uint64_t hash = 14695981039346656037ull;
  for (const unsigned char byte : read_text(file))
    hash = (hash ^ byte) * 1099511628211ull;
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::string stem_of(const Path &file) {
  std::string name = file.filename().string();
  for (const char *ending : {".gz", ".nii"})
    if (name.size() > std::strlen(ending) &&
        name.compare(name.size() - std::strlen(ending), std::string::npos, ending) == 0)
      name.resize(name.size() - std::strlen(ending));
  return name;
}

bool is_nifti_name(const Path &file) {
  const std::string name = file.filename().string();
  const auto ends = [&](const std::string &ending) {
    return name.size() > ending.size() && name.compare(name.size() - ending.size(), std::string::npos, ending) == 0;
  };
  return ends(".nii") || ends(".nii.gz");
}

void print(const std::string &text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Failure(std::string("Standard output: writing failed (") + std::strerror(errno) + ").");
}

}  // namespace program
