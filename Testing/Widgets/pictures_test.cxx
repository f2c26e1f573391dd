// Colours and checkerboards that the viewer and 3D Slicer share.
#include "Pictures/pictures.h"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace counterwarp;

TEST(Overlay, IsTransparentWhereNothingChanges) {
  EXPECT_EQ(overlay_colour(0)[3], 0);
  EXPECT_EQ(overlay_colour(0.02)[3], 0);
  EXPECT_EQ(overlay_colour(std::nan(""))[3], 0);
  double last = 0;
  for (double t = 0.05; t < 1; t += 0.05) {
    const auto low = overlay_colour(-t), high = overlay_colour(t);
    EXPECT_DOUBLE_EQ(low[3], high[3]);
    EXPECT_GE(high[3], last);
    EXPECT_GT(low[2], low[0]) << "below 0 is blue";
    EXPECT_GT(high[0], high[2]) << "above 0 is red";
    last = high[3];
  }
  EXPECT_GT(last, 0.8);
}

TEST(Overlay, IsWhatThePictureGets) {
  Picture picture(3, 1);
  for (unsigned char &byte : picture.rgb)
    byte = 100;
  overlay(picture, {-0.5f, 0.0f, 2.0f}, 1);
  for (int c = 0; c < 3; c++) {
    EXPECT_EQ(picture.rgb[3 + c], 100);
    const double at[] = {-0.5, 0, 1};
    for (const int i : {0, 2}) {
      const auto colour = overlay_colour(at[i]);
      EXPECT_NEAR(picture.rgb[3 * i + c], (1 - colour[3]) * 100 + 255 * colour[3] * colour[c], 1);
    }
  }
}

TEST(ChangeScale, IsARoundPercentage) {
  EXPECT_NEAR(change_scale({}, 0), std::log(1.1), 1e-9);
  EXPECT_NEAR(change_scale({0.01f, -0.02f}, 0), std::log(1.1), 1e-9);
  EXPECT_NEAR(change_scale({0.01f, float(-std::log(1.37))}, 0), std::log(1.5), 1e-9);
  EXPECT_NEAR(change_scale({100.0f}, 0), std::log(5.0), 1e-9) << "400 % at most";
  EXPECT_DOUBLE_EQ(change_scale({0.01f}, 0.7), 0.7) << "not under what was needed before";
}

// The letters at a slice's borders name the ways that its own grid goes, in LPS.
TEST(Orientation, LettersFollowTheGrid) {
  cw_grid scan = cw_grid();
  scan.to_world = cw_affine_identity();
  scan.to_world.m[0][0] = -1.5;  // a scan that is stored from left to right
  for (int &size : scan.size)
    size = 20;
  const double center[3] = {-5, 5, 5};
  const char *const letters[3][2] = {{"R", "L"}, {"A", "P"}, {"I", "S"}};
  for (const Plane plane : {Plane::axial, Plane::coronal, Plane::sagittal}) {
    const cw_grid slice = slice_grid(scan, plane, center, 64);
    const PlaneWords words = words_of(plane);
    for (int axis = 0; axis < 2; axis++) {  // to the right, and down
      int most = 0;
      for (int r = 1; r < 3; r++)
        if (std::abs(slice.to_world.m[r][axis]) > std::abs(slice.to_world.m[most][axis]))
          most = r;
      const bool up = slice.to_world.m[most][axis] > 0;
      EXPECT_STREQ(axis ? words.bottom : words.right, letters[most][up]) << words.name;
      EXPECT_STREQ(axis ? words.top : words.left, letters[most][!up]) << words.name;
    }
  }
}

TEST(Checkered, LeavesEveryOtherCubeOut) {
  cw_grid grid = cw_grid();
  grid.size[0] = 8;
  grid.size[1] = 6;
  grid.size[2] = 4;
  std::vector<float> samples(8 * 6 * 4);
  for (size_t i = 0; i < samples.size(); i++)
    samples[i] = 2 + 3 * std::sin(float(i));
  const cw_volume volume = {grid, 1, samples.data()};
  float least = 0;
  const std::vector<float> left = checkered(volume, 4, &least);
  EXPECT_LT(least, -0.5);
  size_t at = 0, kept = 0;
  for (int k = 0; k < 4; k++)
    for (int j = 0; j < 6; j++)
      for (int i = 0; i < 8; i++, at++) {
        const bool in = (i / 2 + j / 2 + k / 2) % 2 == 0;
        kept += in;
        if (in)
          EXPECT_EQ(left[at], samples[at]);
        else
          EXPECT_LT(0.5f * (left[at] + 5), least) << "half-way to the brightest sample";
      }
  EXPECT_EQ(kept, samples.size() / 2);
}

}  // namespace
