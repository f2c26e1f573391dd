#include "commands.h"

#include <new>

#include "files.h"

namespace program {

int guarded(const std::function<int()> &work, const std::function<int(const std::string &, int)> &complain) {
  try {
    return work();
  } catch (const Failure &failure) {
    return complain(failure.what(), failure.code);
  } catch (const std::bad_alloc &) {
    return complain("Out of memory", exit_failure);
  } catch (const std::exception &error) {
    return complain(error.what(), exit_failure);
  }
}

CLI::Validator within(double low, double high) {
  return CLI::Validator(
      [low, high](std::string &text) -> std::string {
        double value;
        if (CLI::detail::lexical_cast(text, value) && value >= low && value <= high)
          return "";
        return text + " is not a number within " + number(low) + " to " + number(high);
      },
      number(low) + " to " + number(high));
}

CLI::App *Program::add(const std::string &name, const std::string &summary, const std::string &example) {
  CLI::App *command = parser.add_subcommand(name, summary);
  command->add_option("--threads", settings.threads, "Threads; 0 means all processors")
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
  command->add_flag("--quiet", settings.quiet, "No progress and no remarks; warnings and errors stay");
  command->footer("Example:\n  " + example + "\n\nFor research use only.");
  return command;
}

}  // namespace program
