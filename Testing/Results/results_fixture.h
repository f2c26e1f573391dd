// A context whose allocations are counted and can be made to fail, whose progress can cancel and whose warnings are
// kept; grids and slow sampling for the references.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "counterwarp/results.h"

namespace results_test {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

class ContextTest : public testing::Test {
 protected:
  ContextTest() { context = Create(1); }
  ~ContextTest() override { cw_context_free(context); }
  void TearDown() override { EXPECT_EQ(live, 1) << "memory is left"; }  // the context itself

  cw_context *Create(int threads) {
    cw_context_options options = {};
    options.allocate = [](void *user, size_t bytes) -> void * {
      auto *self = static_cast<ContextTest *>(user);
      if (self->allocations_left == 0)
        return nullptr;
      if (self->allocations_left > 0)
        self->allocations_left--;
      self->live++;
      return std::malloc(bytes);
    };
    options.release = [](void *user, void *memory) {
      if (memory)
        static_cast<ContextTest *>(user)->live--;
      std::free(memory);
    };
    options.progress = [](void *user, const char *, double) {
      auto *self = static_cast<ContextTest *>(user);
      return self->progress_left < 0 || self->progress_left-- > 0;
    };
    options.warn = [](void *user, const char *sentence) {
      static_cast<ContextTest *>(user)->warnings.emplace_back(sentence);
    };
    options.user = this;
    options.threads = threads;
    cw_context *created = nullptr;
    EXPECT_EQ(cw_context_create(&options, &created), CW_OK);
    return created;
  }

  std::string Message() const { return cw_context_message(context); }

  cw_context *context = nullptr;
  int live = 0;
  int allocations_left = -1;  // -1: without end
  int progress_left = -1;     // -1: never cancels
  std::vector<std::string> warnings;
};

#define EXPECT_OK(call) EXPECT_EQ(call, CW_OK) << cw_context_message(context)
#define ASSERT_OK(call) ASSERT_EQ(call, CW_OK) << cw_context_message(context)

// Rotation about three axes times voxel sizes: an oblique, anisotropic grid centred on `center`.
inline cw_grid ObliqueGrid(int nx, int ny, int nz, double dx, double dy, double dz, double turn,
                           const double center[3]) {
  const double a = turn, b = 0.7 * turn, c = -0.5 * turn;
  const double r[3][3] = {
      {cos(a) * cos(b), cos(a) * sin(b) * sin(c) - sin(a) * cos(c), cos(a) * sin(b) * cos(c) + sin(a) * sin(c)},
      {sin(a) * cos(b), sin(a) * sin(b) * sin(c) + cos(a) * cos(c), sin(a) * sin(b) * cos(c) - cos(a) * sin(c)},
      {-sin(b), cos(b) * sin(c), cos(b) * cos(c)}};
  const double spacing[3] = {dx, dy, dz};
  cw_grid grid = {{nx, ny, nz}, {}};
  for (int i = 0; i < 3; i++) {
    grid.to_world.m[i][3] = center[i];
    for (int j = 0; j < 3; j++) {
      grid.to_world.m[i][j] = r[i][j] * spacing[j];
      grid.to_world.m[i][3] -= grid.to_world.m[i][j] * 0.5 * (grid.size[j] - 1);
    }
  }
  return grid;
}

// Calls visit(sample, i, j, k, world) for each sample.
template <class Visit>
void ForEach(const cw_grid &grid, Visit visit) {
  size_t at = 0;
  for (int k = 0; k < grid.size[2]; k++)
    for (int j = 0; j < grid.size[1]; j++)
      for (int i = 0; i < grid.size[0]; i++, at++) {
        const double index[3] = {double(i), double(j), double(k)};
        double world[3];
        cw_affine_apply(&grid.to_world, index, world);
        visit(at, i, j, k, world);
      }
}

// Trilinear, in double; outside counts as zero, or is clamped to the border.
inline double Sample(const float *in, const int size[3], const double at[3], bool clamp = false) {
  double p[3], sum = 0;
  int base[3];
  for (int axis = 0; axis < 3; axis++) {
    p[axis] = clamp ? std::min(std::max(at[axis], 0.0), size[axis] - 1.0) : at[axis];
    base[axis] = int(std::floor(p[axis]));
  }
  for (int corner = 0; corner < 8; corner++) {
    double weight = 1;
    int q[3];
    bool inside = true;
    for (int axis = 0; axis < 3; axis++) {
      const int up = corner >> axis & 1;
      q[axis] = base[axis] + up;
      weight *= up ? p[axis] - base[axis] : 1 - (p[axis] - base[axis]);
      inside = inside && q[axis] >= 0 && q[axis] < size[axis];
    }
    if (inside)
      sum += weight * in[(size_t(q[2]) * size[1] + q[1]) * size[0] + q[0]];
  }
  return sum;
}

}  // namespace results_test
