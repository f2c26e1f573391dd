// A command-line module of 3D Slicer (Slicer execution model): --xml describes it, standard output carries its
// progress, and the work is that of `counterwarp`.
#include <iostream>

#include "files.h"
#include "slicer_module.h"

namespace program {
namespace {

int complain(const std::string &sentence, int code) {
  std::cerr << sentence << std::endl;
  return code;
}

int run(int argc, char **argv) {
  if (argc == 2 && std::string(argv[1]) == "--xml") {
    print(std::string(module_xml()));
    return exit_fine;
  }
  Program program;
  program.settings.slicer = true;
  program.settings.quiet = true;
  declare_module(program);
  try {
    program.parser.parse(argc, argv);
  } catch (const CLI::Success &success) {
    return program.parser.exit(success);
  } catch (const CLI::ParseError &error) {
    return complain(error.what(), exit_usage);
  }
  listen_for_interruption();
  program.work();
  return exit_fine;
}

}  // namespace
}  // namespace program

int main(int argc, char **argv) {
  return program::guarded([&] { return program::run(argc, argv); }, program::complain);
}
