// What the tests of Cohort share.
#ifndef COUNTERWARP_TESTING_COHORT_FIXTURE_H
#define COUNTERWARP_TESTING_COHORT_FIXTURE_H

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "counterwarp/cohort.h"
#include "Tensor/test_context.h"

namespace cohort_test {

#define ASSERT_OK(call) ASSERT_EQ(call, CW_OK) << cw_context_message(context)

class ContextTest : public ::testing::Test {
 protected:
  TestContext context;
  // The message holds every one of these.
  void Says(std::initializer_list<std::string> parts) {
    for (const std::string &part : parts)
      EXPECT_NE(context.message().find(part), std::string::npos) << context.message() << " lacks " << part;
  }
};

// A file of this process that goes away with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string &content, const std::string &suffix = ".txt")
      : path(::testing::TempDir() + "cw_cohort_" + std::to_string(getpid()) + "_" + std::to_string(count()++) +
             suffix) {
    std::ofstream(path, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::remove(path.c_str()); }
  TemporaryFile(const TemporaryFile &) = delete;
  std::string folder() const { return path.substr(0, path.rfind('/') + 1); }
  const std::string path;

 private:
  static int &count() {
    static int made = 0;
    return made;
  }
};

struct Volume : cw_volume {
  explicit Volume(cw_context *c) : cw_volume(), context(c) {}
  Volume(cw_context *c, const cw_grid &on, int channels = 1) : Volume(c) { cw_volume_create(c, &on, channels, this); }
  ~Volume() { cw_volume_free(context, this); }
  Volume(const Volume &) = delete;
  size_t samples() const { return cw_grid_samples(&grid); }
  cw_context *context;
};

struct Subject : cw_subject {
  explicit Subject(cw_context *c) : cw_subject(), context(c) {}
  ~Subject() { cw_subject_free(context, this); }
  Subject(const Subject &) = delete;
  cw_context *context;
};

inline std::vector<float> values(const cw_volume &volume) {
  return {volume.data, volume.data + cw_grid_samples(&volume.grid) * size_t(volume.components)};
}

}  // namespace cohort_test
#endif
