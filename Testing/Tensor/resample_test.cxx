// Resampling and smoothing against slow, obvious references.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "counterwarp/random.h"
#include "counterwarp/volume.h"
#include "Tensor/test_context.h"

namespace {

struct Volume : cw_volume {
  Volume(cw_context *c, const cw_grid &grid, int components) : cw_volume{}, context(c) {
    if (cw_volume_create(c, &grid, components, this) != CW_OK)
      std::abort();
  }
  ~Volume() { cw_volume_free(context, this); }
  Volume(const Volume &) = delete;
  size_t count() const { return cw_grid_samples(&grid) * size_t(components); }
  void randomize(uint64_t stream, int levels = 0) {
    for (size_t i = 0; i < count(); i++) {
      const float u = cw_random_at(21, stream, i);
      data[i] = levels ? std::floor(u * float(levels)) : u;
    }
  }
  cw_context *context;
};

cw_grid unit_grid(int x, int y, int z) {
  cw_grid grid = {{x, y, z}, cw_affine_identity()};
  return grid;
}

// Somewhat oblique grids around the origin, voxels of 0.7 to 1.6 mm, axes possibly permuted or flipped.
cw_grid random_grid(int x, int y, int z, uint64_t stream) {
  cw_random random = cw_random_stream(22, stream);
  cw_grid grid = unit_grid(x, y, z);
  int order[3] = {0, 1, 2};
  cw_random_shuffle(&random, order, 3);
  for (int c = 0; c < 3; c++) {
    const double size = cw_random_uniform(&random, 0.7, 1.6) * (cw_random_below(&random, 2) ? 1 : -1);
    for (int r = 0; r < 3; r++)
      grid.to_world.m[r][c] = size * ((r == order[c]) + cw_random_uniform(&random, -0.15, 0.15));
  }
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++)
      grid.to_world.m[r][3] -= grid.to_world.m[r][c] * (grid.size[c] - 1) / 2.0;
  return grid;
}

float at(const cw_volume &volume, int c, int i, int j, int k) {
  const int *n = volume.grid.size;
  if (i < 0 || i >= n[0] || j < 0 || j >= n[1] || k < 0 || k >= n[2])
    return 0;
  return volume.data[((size_t(c) * n[2] + k) * n[1] + j) * n[0] + i];
}

// The continuous index in `in` of a continuous index of `out`, by one map after the other.
void locate(cw_context *context, const cw_volume &in, const cw_affine *between, const cw_grid &out,
            const double index[3], double p[3]) {
  cw_affine to_index;
  ASSERT_EQ(cw_affine_invert(context, &in.grid.to_world, &to_index), CW_OK);
  cw_affine_apply(&out.to_world, index, p);
  if (between)
    cw_affine_apply(between, p, p);
  cw_affine_apply(&to_index, p, p);
}

double trilinear(const cw_volume &in, int c, const double p[3]) {
  double sum = 0;
  for (int k = 0; k < in.grid.size[2]; k++)
    for (int j = 0; j < in.grid.size[1]; j++)
      for (int i = 0; i < in.grid.size[0]; i++) {
        const double weight = std::max(0.0, 1 - std::fabs(p[0] - i)) * std::max(0.0, 1 - std::fabs(p[1] - j)) *
                              std::max(0.0, 1 - std::fabs(p[2] - k));
        if (weight > 0)
          sum += weight * at(in, c, i, j, k);
      }
  return sum;
}

template <typename Body>
void for_each_sample(const cw_volume &out, Body body) {
  for (int c = 0; c < out.components; c++)
    for (int k = 0; k < out.grid.size[2]; k++)
      for (int j = 0; j < out.grid.size[1]; j++)
        for (int i = 0; i < out.grid.size[0]; i++)
          body(c, i, j, k);
}

}  // namespace

TEST(Resample, EqualsTheReferenceOnAnyGrids) {
  TestContext context;
  for (uint64_t trial = 0; trial < 12; trial++) {
    Volume in(context, random_grid(7, 8, 6, 3 * trial), trial % 3 + 1);
    Volume out(context, random_grid(9, 5, 8, 3 * trial + 1), trial % 3 + 1);
    in.randomize(trial);
    out.randomize(trial + 100);  // what was there must not show through
    cw_affine between = random_grid(1, 1, 1, 3 * trial + 2).to_world;
    const cw_affine *map = trial % 2 ? &between : nullptr;
    ASSERT_EQ(cw_volume_resample(context, &in, map, &out), CW_OK);
    double inside = 0;
    for_each_sample(out, [&](int c, int i, int j, int k) {
      const double index[3] = {double(i), double(j), double(k)};
      double p[3];
      locate(context, in, map, out.grid, index, p);
      const double expected = trilinear(in, c, p);
      inside += expected != 0;
      ASSERT_NEAR(at(out, c, i, j, k), expected, 2e-6) << trial << ": " << i << " " << j << " " << k;
    });
    EXPECT_GT(inside / double(out.count()), 0.1);  // the trial says something
  }
}

TEST(Resample, SameGridGivesTheSameNumbers) {
  TestContext context;
  const cw_grid grid = random_grid(9, 7, 5, 77);
  Volume in(context, grid, 2), out(context, grid, 2);
  in.randomize(1);
  ASSERT_EQ(cw_volume_resample(context, &in, nullptr, &out), CW_OK);
  for (size_t i = 0; i < in.count(); i++)
    ASSERT_NEAR(out.data[i], in.data[i], 1e-6);  // up to the rounding of the inverse
  ASSERT_EQ(cw_volume_resample_mean(context, &in, nullptr, &out), CW_OK);
  for (size_t i = 0; i < in.count(); i++)
    ASSERT_NEAR(out.data[i], in.data[i], 1e-6);
  ASSERT_EQ(cw_volume_resample_labels(context, &in, nullptr, &out), CW_OK);
  EXPECT_EQ(std::memcmp(out.data, in.data, in.count() * sizeof(float)), 0);
}

TEST(Resample, FlipsPermutationsAndHalfSteps) {
  TestContext context;
  Volume in(context, unit_grid(6, 5, 4), 1);
  in.randomize(2);
  cw_grid flipped = unit_grid(4, 6, 5);  // i' = k, j' = reversed i, k' = reversed j
  flipped.to_world = {{{0, -1, 0, 5}, {0, 0, -1, 4}, {1, 0, 0, 0}}};
  Volume out(context, flipped, 1);
  for (auto *resample : {cw_volume_resample, cw_volume_resample_labels, cw_volume_resample_mean}) {
    ASSERT_EQ(resample(context, &in, nullptr, &out), CW_OK);
    for_each_sample(out,
                    [&](int c, int i, int j, int k) { ASSERT_EQ(at(out, c, i, j, k), at(in, 0, 5 - j, 4 - k, i)); });
  }
  cw_affine half = cw_affine_identity();
  half.m[0][3] = 0.5;
  Volume between(context, in.grid, 1);
  ASSERT_EQ(cw_volume_resample(context, &in, &half, &between), CW_OK);
  for_each_sample(between, [&](int c, int i, int j, int k) {
    ASSERT_NEAR(at(between, c, i, j, k), (at(in, 0, i, j, k) + at(in, 0, i + 1, j, k)) / 2, 1e-6);
  });
}

TEST(Resample, LabelsTakeTheNearest) {
  TestContext context;
  for (uint64_t trial = 0; trial < 8; trial++) {
    Volume in(context, random_grid(7, 8, 6, 300 + 2 * trial), 1),
        out(context, random_grid(9, 5, 8, 301 + 2 * trial), 1);
    in.randomize(trial, 100);
    out.randomize(trial + 9);
    ASSERT_EQ(cw_volume_resample_labels(context, &in, nullptr, &out), CW_OK);
    for_each_sample(out, [&](int c, int i, int j, int k) {
      const double index[3] = {double(i), double(j), double(k)};
      double p[3];
      locate(context, in, nullptr, out.grid, index, p);
      ASSERT_EQ(at(out, c, i, j, k),
                at(in, c, int(std::floor(p[0] + 0.5)), int(std::floor(p[1] + 0.5)), int(std::floor(p[2] + 0.5))));
    });
  }
}

TEST(Resample, MeanAveragesTheVoxel) {
  TestContext context;
  Volume in(context, unit_grid(12, 12, 12), 1);
  for_each_sample(in, [&](int, int i, int j, int k) { in.data[(k * 12 + j) * 12 + i] = float((i + j + k) % 2); });
  cw_grid coarse = unit_grid(4, 6, 3);
  coarse.to_world = {{{3, 0, 0, 1}, {0, 2, 0, 0.5}, {0, 0, 4, 1.5}}};  // whole blocks of 3 x 2 x 4
  Volume plain(context, coarse, 1), mean(context, coarse, 1);
  ASSERT_EQ(cw_volume_resample_mean(context, &in, nullptr, &mean), CW_OK);
  ASSERT_EQ(cw_volume_resample(context, &in, nullptr, &plain), CW_OK);
  for (size_t i = 0; i < mean.count(); i++)
    ASSERT_NEAR(mean.data[i], 0.5, 1e-6);
  in.randomize(5);
  ASSERT_EQ(cw_volume_resample_mean(context, &in, nullptr, &mean), CW_OK);
  for_each_sample(mean, [&](int, int i, int j, int k) {
    double sum = 0;
    for (int part = 0; part < 24; part++)
      sum += at(in, 0, 3 * i + part % 3, 2 * j + part / 3 % 2, 4 * k + part / 6);
    ASSERT_NEAR(at(mean, 0, i, j, k), sum / 24, 1e-6);
  });
}

TEST(Resample, MeanOnObliqueGridsEqualsTheReference) {
  TestContext context;
  Volume in(context, random_grid(16, 15, 14, 500), 2);
  cw_grid coarse = random_grid(5, 4, 6, 501);
  for (auto &row : coarse.to_world.m)
    for (int c = 0; c < 3; c++)
      row[c] *= 2.3;
  Volume out(context, coarse, 2);
  in.randomize(6);
  ASSERT_EQ(cw_volume_resample_mean(context, &in, nullptr, &out), CW_OK);
  // As many sub-samples along an axis as input voxels fit along it.
  const double zero[3] = {0, 0, 0};
  double origin[3];
  locate(context, in, nullptr, coarse, zero, origin);
  int parts[3];
  for (int axis = 0; axis < 3; axis++) {
    double unit[3] = {0, 0, 0}, p[3];
    unit[axis] = 1;
    locate(context, in, nullptr, coarse, unit, p);
    parts[axis] = int(std::ceil(std::hypot(std::hypot(p[0] - origin[0], p[1] - origin[1]), p[2] - origin[2])));
    EXPECT_GE(parts[axis], 2);
  }
  for_each_sample(out, [&](int c, int i, int j, int k) {
    double sum = 0;
    for (int d = 0; d < parts[2]; d++)
      for (int b = 0; b < parts[1]; b++)
        for (int a = 0; a < parts[0]; a++) {
          const double index[3] = {i + (a + 0.5) / parts[0] - 0.5, j + (b + 0.5) / parts[1] - 0.5,
                                   k + (d + 0.5) / parts[2] - 0.5};
          double p[3];
          locate(context, in, nullptr, coarse, index, p);
          sum += trilinear(in, c, p);
        }
    ASSERT_NEAR(at(out, c, i, j, k), sum / (parts[0] * parts[1] * parts[2]), 3e-6);
  });
}

TEST(Resample, SameBitsOnAnyNumberOfThreads) {
  TestContext one(1);
  Volume in(one, random_grid(20, 19, 18, 40), 2), expected(one, random_grid(13, 14, 15, 41), 2);
  in.randomize(7);
  for (auto *resample : {cw_volume_resample, cw_volume_resample_labels, cw_volume_resample_mean}) {
    ASSERT_EQ(resample(one, &in, nullptr, &expected), CW_OK);
    for (int threads : {2, 3, 7, 64}) {
      TestContext several(threads);
      Volume out(several, expected.grid, 2);
      ASSERT_EQ(resample(several, &in, nullptr, &out), CW_OK);
      ASSERT_EQ(std::memcmp(out.data, expected.data, out.count() * sizeof(float)), 0) << threads;
    }
  }
}

TEST(Resample, FarAwayAndSingleSamples) {
  TestContext context;
  Volume in(context, unit_grid(4, 4, 4), 1), out(context, unit_grid(5, 5, 5), 1),
      single(context, unit_grid(1, 1, 1), 1);
  in.randomize(8);
  for (auto *resample : {cw_volume_resample, cw_volume_resample_labels, cw_volume_resample_mean}) {
    for (double distance : {1e3, -1e3, 1e12, -1e12, 1e300, -1e300}) {
      cw_affine away = cw_affine_identity();
      away.m[0][3] = distance;
      out.randomize(9);
      ASSERT_EQ(resample(context, &in, &away, &out), CW_OK);
      for (size_t i = 0; i < out.count(); i++)
        ASSERT_EQ(out.data[i], 0);
    }
    cw_affine huge = cw_affine_identity();  // one step leaves the input
    huge.m[0][0] = huge.m[1][1] = huge.m[2][2] = 1e15;
    if (resample != cw_volume_resample_mean) {
      ASSERT_EQ(resample(context, &in, &huge, &out), CW_OK);
      EXPECT_EQ(out.data[0], in.data[0]);
      for (size_t i = 1; i < out.count(); i++)
        ASSERT_EQ(out.data[i], 0);
    }
    single.data[0] = 3;
    ASSERT_EQ(resample(context, &single, nullptr, &out), CW_OK);
    EXPECT_EQ(out.data[0], 3);
    EXPECT_EQ(out.data[1], 0);
  }
}

TEST(Resample, RefusesWhatDoesNotFit) {
  TestContext context;
  Volume in(context, unit_grid(4, 4, 4), 1), out(context, unit_grid(4, 4, 4), 3);
  cw_volume empty = {};
  cw_affine bad = cw_affine_identity();
  bad.m[0][0] = std::numeric_limits<double>::quiet_NaN();
  for (auto *resample : {cw_volume_resample, cw_volume_resample_labels, cw_volume_resample_mean}) {
    EXPECT_EQ(resample(context, &in, nullptr, &out), CW_ERROR_SHAPE);
    EXPECT_EQ(resample(context, &empty, nullptr, &out), CW_ERROR_ARGUMENT);
    EXPECT_EQ(resample(context, &in, nullptr, &empty), CW_ERROR_ARGUMENT);
    EXPECT_EQ(resample(context, &in, &bad, &in), CW_ERROR_NUMERIC);
  }
}

// ---- smoothing ----

static void reference_smooth(const cw_volume &in, double sigma, std::vector<double> *out) {
  const int *n = in.grid.size, radius = int(std::ceil(4 * sigma));
  const size_t count = cw_grid_samples(&in.grid) * size_t(in.components);
  std::vector<double> from(in.data, in.data + count), to(count);
  for (int axis = 0; axis < 3; axis++) {
    for_each_sample(in, [&](int c, int i, int j, int k) {
      double sum = 0, total = 0;
      for (int t = -radius; t <= radius; t++) {
        int p[3] = {i, j, k};
        p[axis] = std::min(std::max(p[axis] + t, 0), n[axis] - 1);
        const double weight = std::exp(-0.5 * t * t / (sigma * sigma));
        sum += weight * from[((size_t(c) * n[2] + p[2]) * n[1] + p[1]) * n[0] + p[0]];
        total += weight;
      }
      to[((size_t(c) * n[2] + k) * n[1] + j) * n[0] + i] = sum / total;
    });
    from = to;
  }
  *out = to;
}

TEST(Smooth, EqualsTheReference) {
  TestContext context;
  const int sizes[][3] = {{9, 8, 7}, {1, 6, 5}, {5, 1, 1}, {1, 1, 1}, {17, 3, 2}};
  for (const auto &size : sizes)
    for (double sigma : {0.3, 1.0, 2.7, 6.0}) {  // the last reaches beyond the volume
      Volume volume(context, unit_grid(size[0], size[1], size[2]), 2);
      volume.randomize(31);
      std::vector<double> expected;
      reference_smooth(volume, sigma, &expected);
      ASSERT_EQ(cw_volume_smooth(context, &volume, sigma), CW_OK);
      for (size_t i = 0; i < expected.size(); i++)
        ASSERT_NEAR(volume.data[i], expected[i], 2e-6) << size[0] << " " << sigma;
    }
}

TEST(Smooth, KeepsAnImpulsesSumAndSpreadsItBySigma) {
  TestContext context;
  Volume volume(context, unit_grid(41, 41, 41), 1);
  volume.data[(20 * 41 + 20) * 41 + 20] = 1;
  ASSERT_EQ(cw_volume_smooth(context, &volume, 2), CW_OK);
  double sum = 0, square[3] = {0, 0, 0};
  for_each_sample(volume, [&](int, int i, int j, int k) {
    const double value = at(volume, 0, i, j, k);
    sum += value;
    square[0] += value * (i - 20) * (i - 20), square[1] += value * (j - 20) * (j - 20),
        square[2] += value * (k - 20) * (k - 20);
  });
  EXPECT_NEAR(sum, 1, 1e-5);
  for (double s : square)
    EXPECT_NEAR(s, 4, 0.01);  // less the cut tails
}

TEST(Smooth, SigmaZeroAndBadSigmas) {
  TestContext context;
  Volume volume(context, unit_grid(4, 5, 6), 1), copy(context, unit_grid(4, 5, 6), 1);
  volume.randomize(1), copy.randomize(1);
  EXPECT_EQ(cw_volume_smooth(context, &volume, 0), CW_OK);
  for (double sigma : {-1.0, 1001.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    EXPECT_EQ(cw_volume_smooth(context, &volume, sigma), CW_ERROR_ARGUMENT);
  for (long at = 0; at < 2; at++) {
    context.reset(at);
    EXPECT_EQ(cw_volume_smooth(context, &volume, 1), CW_ERROR_MEMORY);
    EXPECT_EQ(context.leaked(), 0);
  }
  context.reset();
  EXPECT_EQ(std::memcmp(volume.data, copy.data, volume.count() * sizeof(float)), 0);  // untouched by every failure
  cw_volume empty = {};
  EXPECT_EQ(cw_volume_smooth(context, &empty, 1), CW_ERROR_ARGUMENT);
}

TEST(Smooth, SameBitsOnAnyNumberOfThreads) {
  TestContext one(1);
  Volume expected(one, unit_grid(20, 19, 18), 3);
  expected.randomize(3);
  ASSERT_EQ(cw_volume_smooth(one, &expected, 1.5), CW_OK);
  for (int threads : {2, 3, 7, 100}) {
    TestContext several(threads);
    Volume volume(several, expected.grid, 3);
    volume.randomize(3);
    ASSERT_EQ(cw_volume_smooth(several, &volume, 1.5), CW_OK);
    ASSERT_EQ(std::memcmp(volume.data, expected.data, volume.count() * sizeof(float)), 0) << threads;
  }
}
