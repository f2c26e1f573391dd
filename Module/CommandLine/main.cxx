// counterwarp: one program, sub-commands in the manner of git.
#include <iostream>

#include "commands.h"
#include "files.h"

namespace program {

namespace {

// The parser's complaint as one sentence.
std::string sentence_of(std::string text) {
  for (const char c : {'\r', '\n'})
    for (size_t at; (at = text.find(c)) != std::string::npos;)
      text.replace(at, 1, " ");
  while (!text.empty() && text.back() == ' ')
    text.pop_back();
  if (!text.empty() && text.back() != '.')
    text += '.';
  return text;
}

int complain(const std::string &sentence, int code) {
  std::cerr << "counterwarp: " << sentence_of(sentence) << std::endl;
  return code;
}

int run(int argc, char **argv) {
  Program program;
  CLI::App &parser = program.parser;
  parser.set_version_flag("--version", std::string("counterwarp ") + cw_version() + " (for research use only)");
  parser.require_subcommand(1);
  parser.footer("`counterwarp COMMAND --help` explains a command and gives an example.\nFor research use only.");
  add_demo(program);
  add_cohort(program);
  add_train_classifier(program);
  add_classify(program);
  add_model(program);
  add_train_simulator(program);
  add_simulate(program);
  add_jacobian(program);
  add_saliency(program);
  add_sanity(program);
  add_group(program);
  add_report(program);
  if (argc < 2) {
    std::cerr << parser.help();
    return exit_usage;
  }
  const std::string first = argv[1];
  if (first[0] != '-' && parser.get_subcommands([&](CLI::App *app) { return app->get_name() == first; }).empty())
    return complain("\"" + first + "\" is not a command. See `counterwarp --help`", exit_usage);
  try {
    parser.parse(argc, argv);
  } catch (const CLI::Success &success) {  // --help, --version
    parser.exit(success);
    std::cout.flush();
    return std::cout ? exit_fine : exit_failure;
  } catch (const CLI::ParseError &error) {
    std::string hint = "counterwarp";
    for (const CLI::App *chosen : parser.get_subcommands())
      hint += " " + chosen->get_name();
    return complain(sentence_of(error.what()) + " See `" + hint + " --help`", exit_usage);
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
