// The program's side of cw_context: one object that owns it, turns failures into exceptions, shows progress and
// listens for Ctrl-C.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "counterwarp/context.h"

namespace program {

// Exit codes, part of the program's interface.
enum Exit { exit_fine = 0, exit_failure = 1, exit_usage = 2, exit_interrupted = 130 };

// One sentence for the user, and the exit code that goes with it.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string &sentence, int exit_code = exit_failure)
      : std::runtime_error(sentence), code(exit_code) {}
  const int code;
};

// Options that every sub-command has.
struct Settings {
  int threads = 0;
  bool quiet = false;
  bool slicer = false;  // progress on standard output, in the elements of 3D Slicer's execution model
};

// Owns a cw_context.  Warnings and progress go to stderr; progress appears when work lasts over a second.
// SIGINT and SIGTERM raise a flag that the next progress report turns into CW_ERROR_CANCELLED; a second signal ends the
// program at once.
class Context {
 public:
  explicit Context(const Settings &settings, uint64_t seed = 0);
  ~Context();
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;

  operator cw_context *() const { return context_; }
  // Throws Failure with the context's sentence (after `what`, where given) unless status is CW_OK.
  void check(cw_status status, const std::string &what = "") const;
  // What the sentence of an interruption adds, such as how to go on.
  void on_interruption(const std::string &advice) { advice_ = advice; }
  // Announces that the following work is part `index` of `count` of `label`; throws when an interruption is due.
  void part(const std::string &label, int index, int count);
  // Ends the parts: progress is that of the library's calls again.
  void whole();
  // A line of information on stderr, unless --quiet.
  void say(const std::string &line);
  void warn(const std::string &sentence);

 private:
  static bool on_progress(void *user, const char *stage, double fraction);
  static void on_warning(void *user, const char *sentence);
  bool report(const char *stage, double fraction);
  void show(const std::string &stage, double fraction);
  void tell_slicer(const std::string &stage, double fraction);
  void wipe();

  using Clock = std::chrono::steady_clock;
  cw_context *context_ = nullptr;
  Settings settings_;
  std::string advice_, label_, stage_;
  int index_ = 0, count_ = 0;
  bool terminal_ = false, line_open_ = false;
  double first_fraction_ = 0;
  Clock::time_point started_{}, shown_{};
};

// Installs the handlers of SIGINT and SIGTERM.
void listen_for_interruption();
// The signal that asked to stop, 0 if none did.
int interruption();

}  // namespace program
