// A context for tests: keeps warnings, watches every allocation and can make the n-th one fail.
#ifndef COUNTERWARP_TESTING_TEST_CONTEXT_H
#define COUNTERWARP_TESTING_TEST_CONTEXT_H

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "counterwarp/context.h"

class TestContext {
 public:
  explicit TestContext(int threads = 2) {
    cw_context_options options = {};
    options.allocate = [](void *user, size_t bytes) -> void * {
      auto *self = static_cast<TestContext *>(user);
      self->largest = std::max(self->largest, bytes);
      self->total += bytes;
      if (self->calls++ == self->fail_at)
        return nullptr;
      self->live++;
      void *memory = std::malloc(bytes);
      if (memory)
        std::memset(memory, 0xa5, std::min<size_t>(bytes, 1 << 20));  // nobody may count on zeros
      return memory;
    };
    options.release = [](void *user, void *memory) {
      static_cast<TestContext *>(user)->live -= memory != nullptr;
      std::free(memory);
    };
    options.progress = [](void *user, const char *stage, double fraction) {
      auto *self = static_cast<TestContext *>(user);
      self->stages.push_back(stage);
      self->fraction = fraction;
      return !self->cancel;
    };
    options.warn = [](void *user, const char *sentence) {
      static_cast<TestContext *>(user)->warnings.push_back(sentence);
    };
    options.user = this;
    options.threads = threads;
    options.seed = 42;
    if (cw_context_create(&options, &context_) != CW_OK)
      std::abort();
    reset();
  }
  ~TestContext() { cw_context_free(context_); }
  TestContext(const TestContext &) = delete;
  TestContext &operator=(const TestContext &) = delete;

  operator cw_context *() { return context_; }
  std::string message() const { return cw_context_message(context_); }

  // Starts counting anew; the allocation number `at` (from 0) fails, -1: none.
  void reset(long at = -1) {
    calls = 0;
    largest = total = 0;
    fail_at = at;
    warnings.clear();
    baseline = live;
  }
  // Blocks allocated since reset and not released.
  long leaked() const { return live - baseline; }

  std::vector<std::string> warnings, stages;
  double fraction = -1;
  bool cancel = false;
  long calls = 0, fail_at = -1, live = 0, baseline = 0;
  size_t largest = 0, total = 0;  // bytes of one allocation, and of all

 private:
  cw_context *context_ = nullptr;
};

#endif
