// The context: messages, warnings, progress, and memory that may run out at any time.
#include <gtest/gtest.h>

#include <set>

#include "Tensor/test_context.h"
extern "C" {
#include "Tensor/part.h"
}

TEST(Context, DefaultsWithoutOptions) {
  cw_context *context = nullptr;
  ASSERT_EQ(cw_context_create(nullptr, &context), CW_OK);
  EXPECT_STREQ(cw_context_message(context), "");
  EXPECT_GE(cw_context_threads(context), 1);
  EXPECT_EQ(cw_context_seed(context), 0u);
  EXPECT_EQ(cw_progress(context, "stage", 0.5), CW_OK);
  cw_warn(context, "nobody listens to %d", 1);
  void *memory = cw_allocate(context, 10, 10);
  ASSERT_NE(memory, nullptr);
  cw_release(context, memory);
  cw_context_free(context);
  cw_context_free(nullptr);
}

TEST(Context, OptionsArrive) {
  TestContext context(3);
  EXPECT_EQ(cw_context_threads(context), 3);
  EXPECT_EQ(cw_context_seed(context), 42u);
}

TEST(Context, CreationFailsWithoutMemory) {
  cw_context_options options = {};
  options.allocate = [](void *, size_t) -> void * { return nullptr; };
  options.release = [](void *, void *) {};
  cw_context *context = nullptr;
  EXPECT_EQ(cw_context_create(&options, &context), CW_ERROR_MEMORY);
}

TEST(Context, FailFormatsAndReturnsTheStatus) {
  TestContext context;
  EXPECT_EQ(cw_fail(context, CW_ERROR_SHAPE, "conv%d: expected %s", 3, "five axes"), CW_ERROR_SHAPE);
  EXPECT_EQ(context.message(), "conv3: expected five axes");
  const std::string lengthy(5000, 'x');  // longer than any buffer inside
  EXPECT_EQ(cw_fail(context, CW_ERROR_FILE, "%s", lengthy.c_str()), CW_ERROR_FILE);
  EXPECT_GE(context.message().size(), 400u);
  EXPECT_EQ(context.message(), lengthy.substr(0, context.message().size()));
}

TEST(Context, WarningsReachTheCallback) {
  TestContext context;
  cw_warn(context, "%d voxels are NaN", 7);
  ASSERT_EQ(context.warnings.size(), 1u);
  EXPECT_EQ(context.warnings[0], "7 voxels are NaN");
  cw_warn(context, "%s", std::string(5000, 'y').c_str());
  EXPECT_GE(context.warnings[1].size(), 400u);
}

TEST(Context, ProgressCancels) {
  TestContext context;
  EXPECT_EQ(cw_progress(context, "training", 0.25), CW_OK);
  EXPECT_EQ(context.stages.back(), "training");
  EXPECT_EQ(context.fraction, 0.25);
  context.cancel = true;
  EXPECT_EQ(cw_progress(context, "training", 0.5), CW_ERROR_CANCELLED);
  EXPECT_NE(context.message().find("training"), std::string::npos);
}

// A call inside a call: one stage is heard of, and its fraction does not fall.
TEST(Context, ProgressOfPartsIsThatOfTheWhole) {
  TestContext context;
  const cw_part whole = cw_part_enter(context, "simulate", 0.5, 0.9);
  EXPECT_EQ(cw_progress(context, "resample", 0.5), CW_OK);
  EXPECT_EQ(context.stages.back(), "simulate");
  EXPECT_NEAR(context.fraction, 0.7, 1e-12);
  const cw_part part = cw_part_enter(context, "warp", 0.5, 1);
  EXPECT_EQ(cw_progress(context, "slices", 0.5), CW_OK);
  EXPECT_EQ(context.stages.back(), "simulate");
  EXPECT_NEAR(context.fraction, 0.8, 1e-12);
  cw_part_leave(context, part);
  EXPECT_EQ(cw_progress(context, "resample", 1), CW_OK);
  EXPECT_NEAR(context.fraction, 0.9, 1e-12);
  cw_part_leave(context, whole);
  EXPECT_EQ(cw_progress(context, "resample", 1), CW_OK);
  EXPECT_EQ(context.stages.back(), "resample");
  EXPECT_EQ(context.fraction, 1);
}

TEST(Context, MemoryIsAlignedAndAccounted) {
  TestContext context;
  for (size_t bytes : {0u, 1u, 3u, 63u, 64u, 65u, 4096u}) {
    auto *memory = static_cast<unsigned char *>(cw_allocate(context, bytes, 1));
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u);
    std::memset(memory, 1, bytes);  // the sanitizer watches the ends
    auto *zeros = static_cast<unsigned char *>(cw_allocate_zero(context, bytes, 3));
    ASSERT_NE(zeros, nullptr);
    for (size_t i = 0; i < 3 * bytes; i++)
      ASSERT_EQ(zeros[i], 0);
    EXPECT_EQ(context.leaked(), 2);
    cw_release(context, memory);
    cw_release(context, zeros);
    EXPECT_EQ(context.leaked(), 0);
  }
  cw_release(context, nullptr);
  EXPECT_EQ(context.leaked(), 0);
}

TEST(Context, OverflowingSizesAreRefusedBeforeTheAllocator) {
  TestContext context;
  const size_t huge[][2] = {
      {SIZE_MAX, 1}, {1, SIZE_MAX}, {SIZE_MAX, SIZE_MAX}, {SIZE_MAX / 2, 3}, {size_t(1) << 33, size_t(1) << 31}};
  for (const auto &size : huge) {
    EXPECT_EQ(cw_allocate(context, size[0], size[1]), nullptr);
    EXPECT_NE(context.message().find("overflow"), std::string::npos);
    EXPECT_EQ(cw_allocate_zero(context, size[0], size[1]), nullptr);
  }
  EXPECT_EQ(context.calls, 0);
}

TEST(Context, FailingAllocatorGivesNullAndAMessage) {
  TestContext context;
  context.reset(0);
  EXPECT_EQ(cw_allocate(context, 100, 4), nullptr);
  EXPECT_NE(context.message().find("400 bytes"), std::string::npos);
  context.reset(0);
  EXPECT_EQ(cw_allocate_zero(context, 100, 4), nullptr);
  context.reset(0);
  EXPECT_EQ(cw_copy_string(context, "text"), nullptr);
  EXPECT_EQ(context.leaked(), 0);
}

TEST(Context, StringsAreCopied) {
  TestContext context;
  for (const char *text : {"", "a", "hippocampus"}) {
    char *copy = cw_copy_string(context, text);
    ASSERT_NE(copy, nullptr);
    EXPECT_NE(copy, text);
    EXPECT_STREQ(copy, text);
    cw_release(context, copy);
  }
}

TEST(Context, EveryStatusHasItsOwnName) {
  std::set<std::string> names;
  for (int status = CW_OK; status <= CW_ERROR_CANCELLED; status++)
    names.insert(cw_status_name(static_cast<cw_status>(status)));
  EXPECT_EQ(names.size(), size_t(CW_ERROR_CANCELLED) + 1);
  EXPECT_EQ(names.count("unknown status"), 0u);
  EXPECT_STREQ(cw_status_name(CW_ERROR_SHAPE), "CW_ERROR_SHAPE");
  EXPECT_STREQ(cw_status_name(static_cast<cw_status>(99)), "unknown status");
}

TEST(Context, VersionHasThreeNumbers) {
  int a, b, c, length = 0;
  EXPECT_EQ(std::sscanf(cw_version(), "%d.%d.%d%n", &a, &b, &c, &length), 3);
  EXPECT_EQ(size_t(length), std::strlen(cw_version()));
}
