#include "context.h"

#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdio>

namespace program {

namespace {

volatile std::sig_atomic_t stop_signal = 0;

void on_signal(int signal) {
  stop_signal = signal;
}

std::string duration(double seconds) {
  char text[32];
  const long s = std::lround(seconds);
  if (s < 60)
    std::snprintf(text, sizeof text, "%ld s", s);
  else if (s < 3600)
    std::snprintf(text, sizeof text, "%ld min %02ld s", s / 60, s % 60);
  else
    std::snprintf(text, sizeof text, "%ld h %02ld min", s / 3600, s / 60 % 60);
  return text;
}

}  // namespace

void listen_for_interruption() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESETHAND | SA_RESTART;  // the second signal ends the program
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int interruption() {
  return stop_signal;
}

Context::Context(const Settings &settings, uint64_t seed) : settings_(settings), terminal_(isatty(STDERR_FILENO)) {
  cw_context_options options{};
  options.progress = on_progress;
  options.warn = on_warning;
  options.user = this;
  options.threads = settings.threads;
  options.seed = seed;
  if (cw_context_create(&options, &context_) != CW_OK)
    throw Failure("Out of memory.");
}

Context::~Context() {
  wipe();
  cw_context_free(context_);
}

void Context::check(cw_status status, const std::string &what) const {
  if (status == CW_OK)
    return;
  if (status == CW_ERROR_CANCELLED && interruption())
    throw Failure("Stopped on request." + (advice_.empty() ? "" : " " + advice_), 128 + interruption());
  const std::string message = cw_context_message(context_);
  throw Failure(what.empty() ? message : what + ": " + message);
}

void Context::part(const std::string &label, int index, int count) {
  if (label != label_ || index == 0)
    stage_.clear();
  label_ = label;
  index_ = index;
  count_ = count;
  check(cw_progress(context_, label.c_str(), 0));
}

void Context::whole() {
  count_ = 0;
  label_.clear();
  stage_.clear();
  wipe();
}

void Context::say(const std::string &line) {
  if (settings_.quiet)
    return;
  wipe();
  std::fprintf(stderr, "%s\n", line.c_str());
}

void Context::warn(const std::string &sentence) {
  wipe();
  std::fprintf(stderr, "counterwarp: warning: %s\n", sentence.c_str());
}

bool Context::on_progress(void *user, const char *stage, double fraction) {
  return static_cast<Context *>(user)->report(stage, fraction);
}

void Context::on_warning(void *user, const char *sentence) {
  static_cast<Context *>(user)->warn(sentence);
}

bool Context::report(const char *stage, double fraction) {
  if (interruption())
    return false;
  const double whole = count_ > 0 ? (index_ + fraction) / count_ : fraction;
  if (settings_.slicer)
    tell_slicer(count_ > 0 ? label_ : stage, whole);
  else if (!settings_.quiet)
    show(count_ > 0 ? label_ + " " + std::to_string(index_ + 1) + " of " + std::to_string(count_) : stage, whole);
  return true;
}

// Elements that vtkSlicerCLIModuleLogic looks for; at most ten a second.
void Context::tell_slicer(const std::string &stage, double fraction) {
  const auto now = Clock::now();
  if (stage != stage_)
    std::printf("<filter-start>\n<filter-name>%s</filter-name>\n<filter-comment>%s</filter-comment>\n</filter-start>\n",
                stage.c_str(), stage.c_str());
  else if (std::chrono::duration<double>(now - shown_).count() < 0.1 && fraction < 1)
    return;
  stage_ = stage;
  shown_ = now;
  std::printf("<filter-progress>%.3f</filter-progress>\n", fraction);
  if (fraction >= 1)
    std::printf("<filter-end>\n<filter-name>%s</filter-name>\n<filter-time>0</filter-time>\n</filter-end>\n",
                stage.c_str());
  std::fflush(stdout);
}

// Parts share one clock (their number is not part of the stage's name); a stage of the library has its own.
void Context::show(const std::string &stage, double fraction) {
  const auto now = Clock::now();
  const std::string &key = count_ > 0 ? label_ : stage;
  if (key != stage_) {
    wipe();
    stage_ = key;
    started_ = shown_ = now;
    first_fraction_ = fraction;
    return;
  }
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  const double since = std::chrono::duration<double>(now - shown_).count();
  if (elapsed < 1 || since < (terminal_ ? 0.2 : 10))
    return;
  shown_ = now;
  std::string left;
  if (fraction > first_fraction_ + 1e-6)
    left = ", " + duration(elapsed * (1 - fraction) / (fraction - first_fraction_)) + " left";
  std::fprintf(stderr, "%s%s: %3.0f %%%s%s", terminal_ ? "\r\033[K" : "", stage.c_str(), 100 * fraction, left.c_str(),
               terminal_ ? "" : "\n");
  std::fflush(stderr);
  line_open_ = terminal_;
}

void Context::wipe() {
  if (!line_open_)
    return;
  std::fprintf(stderr, "\r\033[K");
  std::fflush(stderr);
  line_open_ = false;
}

}  // namespace program
