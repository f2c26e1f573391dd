#include "program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace fs = std::filesystem;

namespace {

Outcome run_command(const std::vector<std::string> &words, const std::function<void(int)> &started) {
  const Folder folder;
  const std::string out = folder.name("out"), err = folder.name("err");
  const pid_t child = fork();
  if (child == 0) {
    const int o = open(out.c_str(), O_WRONLY | O_CREAT, 0600), e = open(err.c_str(), O_WRONLY | O_CREAT, 0600);
    dup2(o, 1);
    dup2(e, 2);
    std::vector<char *> argv;
    for (const auto &word : words)
      argv.push_back(const_cast<char *>(word.c_str()));
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  if (started)
    started(child);
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of(out), text_of(err)};
}

}  // namespace

Outcome run(const Arguments &arguments, const std::function<void(int)> &started) {
  std::vector<std::string> words = {CW_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run_command(words, started);
}

Outcome run_shell(const std::string &line) {
  setenv("CW", CW_PROGRAM, 1);
  return run_command({"/bin/sh", "-c", line}, nullptr);
}

Folder::Folder() {
  std::string pattern = (fs::temp_directory_path() / "counterwarp-test-XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    abort();
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

std::string text_of(const Path &file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_file(const Path &file, const std::string &text) {
  std::ofstream(file, std::ios::binary) << text;
}

nlohmann::json json_of(const Path &file) {
  return nlohmann::json::parse(text_of(file));
}

std::vector<nlohmann::json> rows_of(const Path &file) {
  std::istringstream text(text_of(file));
  std::vector<std::string> columns;
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(text, line);) {
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, '\t');)
      row.push_back(cell);
    if (columns.empty()) {
      columns = row;
      continue;
    }
    nlohmann::json json;
    for (size_t i = 0; i < row.size() && i < columns.size(); i++)
      json[columns[i]] = row[i];
    rows.push_back(json);
  }
  return rows;
}

int leftovers(const Path &folder) {
  int count = 0;
  for (const auto &entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    count += name.find(".part") != std::string::npos || name.find(".tmp") != std::string::npos;
  }
  return count;
}

void make_spheres(const Folder &folder, int subjects) {
  const Outcome made = run({"cohort", "--kind", "spheres", "--size", "32", "--subjects", std::to_string(subjects),
                            "--seed", "3", "--out", folder.name("cohort"), "--quiet"});
  ASSERT_EQ(made.code, 0) << made.err;
}
