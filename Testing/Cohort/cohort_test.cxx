// Cohorts: options, determinism, memory, the spheres, and effects on a phantom.
#include <algorithm>
#include <functional>
#include <thread>

#include "phantom.h"

namespace cohort_test {
namespace {

std::vector<std::vector<float>> everything(const cw_subject &s) {
  return {values(s.image), values(s.truth_logjac), values(s.truth_mask), values(s.truth_region)};
}

TEST_F(Phantom, RefusesOptionsThatCannotBe) {
  const cw_cohort_options good = options;
  const long before = context.live;
  const std::pair<std::function<void(cw_cohort_options &)>, const char *> cases[] = {
      {[](auto &o) { o.kind = cw_cohort_kind(7); }, "kind 7"},
      {[](auto &o) { o.size = 40; }, "size 40"},
      {[](auto &o) { o.size = 16; }, "size 16"},
      {[](auto &o) { o.size = 144; }, "size 144"},
      {[](auto &o) { o.subjects = 0; }, "0 subjects"},
      {[](auto &o) { o.field_of_view = 10; }, "10 mm"},
      {[](auto &o) { o.field_of_view = NAN; }, "nan mm"},
      {[](auto &o) { o.variability = NAN; }, "variability nan"},
      {[](auto &o) { o.variability = -1; }, "variability -1"},
      {[](auto &o) { o.brain = nullptr; }, "T1"},
      {[](auto &o) { o.atlas = nullptr; }, "atlas"},
      {[](auto &o) { o.effect_count = 5; }, "5 effects"},
      {[](auto &o) { o.effect_count = 1; }, "no label"},
      {[](auto &o) {
         o.effect_count = 1, o.effects[0] = {{-3}, .1, .2, false};
       },
       "label -3"},
      {[](auto &o) {
         o.effect_count = 1, o.effects[0] = {{37}, .3, .2, false};
       },
       "0.3 .. 0.2"},
      {[](auto &o) {
         o.effect_count = 1, o.effects[0] = {{37}, .3, 1, false};
       },
       "0.3 .. 1"},
      {[](auto &o) {
         o.effect_count = 1, o.effects[0] = {{37}, NAN, .2, false};
       },
       "nan"},
      {[](auto &o) {
         o.effect_count = 1, o.effects[0] = {{99}, .1, .2, false};
       },
       "label 99 is not in the atlas"},
      {[](auto &o) {
         o.effect_count = 1, o.effects[0] = {{37, 37}, .1, .2, false};
       },
       "twice"},
      {[](auto &o) {
         o.effect_count = 2, o.effects[0] = {{37}, .1, .2, false}, o.effects[1] = {{38}, .1, .2, false},
         o.field_of_view = 32;
       },
       "label 38 lies outside"},
  };
  for (const auto &c : cases) {
    options = good;
    c.first(options);
    EXPECT_NE(Create(), CW_OK) << c.second;
    Says({c.second});
    EXPECT_EQ(cohort, nullptr);
  }
  options = good;
  {
    Volume other(context, cw_grid{{40, 48, 52}, cw_affine_identity()});
    options.atlas = &other;
    EXPECT_EQ(Create(), CW_ERROR_SHAPE);
  }
  options = good;
  brain.data[100] = NAN;
  EXPECT_EQ(Create(), CW_ERROR_ARGUMENT);
  std::fill(brain.data, brain.data + brain.samples(), 0.0f);
  EXPECT_EQ(Create(), CW_ERROR_ARGUMENT);
  EXPECT_EQ(context.live, before);
}

TEST_F(Phantom, RefusesSubjectsThatAreNotThere) {
  options.kind = CW_COHORT_SPHERES;
  ASSERT_OK(Create());
  for (const int index : {-1, 20, 1 << 30}) {
    Subject s(context);
    EXPECT_EQ(cw_cohort_subject(context, cohort, index, &s), CW_ERROR_ARGUMENT);
    EXPECT_EQ(s.image.data, nullptr);
  }
}

TEST_F(Phantom, SubjectsDependOnSeedAndIndexAlone) {
  for (const cw_cohort_kind kind : {CW_COHORT_SPHERES, CW_COHORT_BRAINS}) {
    options.kind = kind;
    ASSERT_OK(Create());
    // Four threads, each with a context of its own (one or two threads inside), out of order.
    std::vector<std::vector<float>> got[4];
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
      threads.emplace_back([&, t] {
        TestContext own(1 + t % 2);
        Subject s(own);
        const int index = t < 2 ? 3 : 2;
        if (cw_cohort_subject(own, cohort, index, &s) == CW_OK)
          got[t] = everything(s);
      });
    for (auto &t : threads)
      t.join();
    ASSERT_EQ(got[0].size(), 4u);
    EXPECT_EQ(got[0], got[1]);
    EXPECT_EQ(got[2], got[3]);
    EXPECT_NE(got[0][0], got[2][0]);
    // A new generator on one thread gives the same bits, another seed does not.
    TestContext own(1);
    for (const uint64_t seed : {3, 4}) {
      cw_cohort_options again = options;
      again.seed = seed;
      cw_cohort *other = nullptr;
      ASSERT_EQ(cw_cohort_create(own, &again, &other), CW_OK);
      Subject s(own);
      ASSERT_EQ(cw_cohort_subject(own, other, 3, &s), CW_OK);
      EXPECT_EQ(everything(s)[0] == got[0][0], seed == 3);
      cw_cohort_free(own, other);
    }
  }
}

TEST_F(Phantom, EveryAllocationMayFail) {
  options.effect_count = 2;
  options.effects[0] = {{37}, .1, .3, false};
  options.effects[1] = {{-1}, -.3, -.1, false};
  options.field_of_view = 150;  // the coarser template grid
  for (const cw_cohort_kind kind : {CW_COHORT_SPHERES, CW_COHORT_BRAINS}) {
    options.kind = kind;
    cw_cohort_free(context, cohort);
    cohort = nullptr;
    int at = 0;
    for (cw_status status = CW_ERROR_MEMORY; status != CW_OK; at++) {
      context.reset(at);
      status = cw_cohort_create(context, &options, &cohort);
      ASSERT_TRUE(status == CW_OK || status == CW_ERROR_MEMORY) << context.message();
      if (status != CW_OK) {
        ASSERT_EQ(context.leaked(), 0) << "allocation " << at;
      }
    }
    at = 0;
    for (cw_status status = CW_ERROR_MEMORY; status != CW_OK; at++) {
      context.reset(at);
      Subject s(context);
      status = cw_cohort_subject(context, cohort, 1, &s);
      ASSERT_TRUE(status == CW_OK || status == CW_ERROR_MEMORY) << context.message();
      if (status != CW_OK) {
        ASSERT_EQ(context.leaked(), 0) << "allocation " << at;
      }
    }
    EXPECT_GE(at, 5);
  }
}

// ---- spheres ----

TEST_F(Phantom, SpheresShrinkOneBlob) {
  options.kind = CW_COHORT_SPHERES;
  ASSERT_OK(Create());
  for (int index = 0; index < 8; index++) {
    Subject s(context);
    ASSERT_OK(cw_cohort_subject(context, cohort, index, &s));
    double spacing[3], volume = 0, other = 0, total = 0;
    cw_grid_spacing(&s.image.grid, spacing);
    EXPECT_EQ(spacing[0], 2);
    if (index % 2) {
      EXPECT_GT(s.severity, 1 - .8 * .8 * .8);
      EXPECT_LT(s.severity, 1 - .6 * .6 * .6);
    } else {
      EXPECT_EQ(s.severity, 0);
    }
    const float *log_j = s.truth_logjac.data;
    const double core = *std::max_element(log_j, log_j + s.image.grid.size[0] * 1024);
    // 3 log 1/s inside the shrunk blob; for controls s = 0.7.
    EXPECT_NEAR(core, index % 2 ? -std::log(1 - s.severity) : -3 * std::log(.7), 1e-5);
    size_t at = 0;
    for (int k = 0; k < 32; k++)
      for (int j = 0; j < 32; j++)
        for (int i = 0; i < 32; i++, at++) {
          EXPECT_EQ(s.truth_mask.data[at], std::fabs(log_j[at]) > 0.05f);
          EXPECT_EQ(s.truth_region.data[at], 1);
          total += std::exp(log_j[at]) - 1;
          (i < 16 ? volume : other) += log_j[at] > 0.3;
          if (i > 20) {
            ASSERT_EQ(log_j[at], 0) << "blob B is left alone";
          }
        }
    EXPECT_GT(volume, 30);
    EXPECT_EQ(other, 0);
    EXPECT_NEAR(total, 0, 60) << "the sum of J - 1 over a map that moves no border is 0, but for the grid";
  }
}

// ---- effects on the phantom ----

TEST_F(Phantom, EveryEffectHasItsOwnMaskAndSign) {
  options.effect_count = 2;
  options.effects[0] = {{37}, .2, .4, false};
  options.effects[1] = {{-1}, -.4, -.2, false};
  options.variability = 0.01;
  options.field_of_view = 96;
  ASSERT_OK(Create());
  for (int index = 0; index < 2; index++) {
    Subject s(context);
    ASSERT_OK(cw_cohort_subject(context, cohort, index, &s));
    EXPECT_EQ(s.effect_mask[2].data, nullptr);
    size_t both = 0, seen[2] = {0, 0}, strong[2] = {0, 0};
    for (size_t v = 0; v < 32768; v++) {
      const float log_j = s.truth_logjac.data[v];
      const bool a = s.effect_mask[0].data[v] != 0, b = s.effect_mask[1].data[v] != 0;
      both += a && b;
      seen[0] += a;
      seen[1] += b;
      strong[0] += log_j > 0.15f && a;
      strong[1] += log_j < -0.12f && b;
      if (std::fabs(log_j) > 0.15f) {
        ASSERT_TRUE(a || b);
      }
    }
    EXPECT_GT(strong[0], 40u);
    EXPECT_GT(strong[1], 40u);
    EXPECT_LT(both, seen[0] / 2);
    EXPECT_LT(both, seen[1] / 2);
    if (index == 1) {
      EXPECT_GE(s.severity, .2);
      EXPECT_LE(s.severity, .4);
    } else {
      EXPECT_EQ(s.severity, 0);
    }
  }
}

// One effect alone: the same head, and nothing but that effect; none: the control's own scan, the patient before it
// fell ill.  An effect of brightness darkens its region and moves nothing.
TEST_F(Phantom, EachEffectAlone) {
  options.effect_count = 2;
  options.effects[0] = {{37}, .2, .4, false};
  options.effects[1] = {{38}, .3, .3, true};
  options.field_of_view = 96;
  options.variability = 0.5;
  ASSERT_OK(Create());
  for (int index = 0; index < 2; index++) {
    Subject all(context), none(context), warped(context), darker(context);
    ASSERT_OK(cw_cohort_subject(context, cohort, index, &all));
    ASSERT_OK(cw_cohort_subject_alone(context, cohort, index, -1, &none));
    ASSERT_OK(cw_cohort_subject_alone(context, cohort, index, 0, &warped));
    ASSERT_OK(cw_cohort_subject_alone(context, cohort, index, 1, &darker));
    if (index == 0) {
      EXPECT_EQ(values(all.image), values(none.image));
    } else {
      EXPECT_NE(values(all.image), values(none.image));
    }
    size_t dark = 0, changed = 0;
    double kept = 0;
    for (size_t v = 0; v < 32768; v++) {
      const double step = darker.image.data[v] - none.image.data[v];
      if (all.effect_mask[1].data[v] != 0 && none.image.data[v] > 0.3) {
        dark++;
        kept += darker.image.data[v] / none.image.data[v];
      } else if (std::fabs(step) > 0.05) {
        changed++;
      }
      EXPECT_LT(step, 1e-6) << "nothing gets brighter";
      ASSERT_EQ(darker.truth_logjac.data[v], 0) << "and nothing moves";
      if (all.effect_mask[0].data[v] == 0) {
        ASSERT_NEAR(warped.truth_logjac.data[v], 0, 0.08) << "but for what the head's own shape adds";
      }
    }
    ASSERT_GT(dark, 30u);
    EXPECT_NEAR(kept / double(dark), 0.75, 0.06) << "30 % of most of each voxel";
    EXPECT_LT(changed, dark) << "but for the region's rim";
    EXPECT_GT(*std::max_element(warped.truth_logjac.data, warped.truth_logjac.data + 32768), 0.1);
    if (index == 0) {
      EXPECT_EQ(values(warped.truth_logjac), values(all.truth_logjac)) << "controls: the average";
    }
    EXPECT_NE(values(warped.image), values(none.image));
  }
  Subject s(context);
  EXPECT_EQ(cw_cohort_subject_alone(context, cohort, 1, 2, &s), CW_ERROR_ARGUMENT);
  Says({"effect 2", "-1 to 1"});
  EXPECT_EQ(cw_cohort_subject_alone(context, cohort, 1, -2, &s), CW_ERROR_ARGUMENT);

  options.kind = CW_COHORT_SPHERES;
  ASSERT_OK(Create());
  Subject all(context), none(context), alone(context);
  ASSERT_OK(cw_cohort_subject(context, cohort, 1, &all));
  ASSERT_OK(cw_cohort_subject_alone(context, cohort, 1, -1, &none));
  ASSERT_OK(cw_cohort_subject_alone(context, cohort, 1, 0, &alone));
  EXPECT_EQ(values(all.image), values(alone.image));
  EXPECT_NE(values(all.image), values(none.image));
  EXPECT_EQ(cw_cohort_subject_alone(context, cohort, 1, 1, &s), CW_ERROR_ARGUMENT);
}

// The centre of mass of log J > 0.1 lies on the label's place in the world: index order and LPS are kept apart.
TEST_F(Phantom, TheEffectLiesWhereTheLabelIs) {
  options.effect_count = 1;
  options.effects[0] = {{37}, .2, .4, false};
  options.field_of_view = 96;
  options.variability = 0.01;
  ASSERT_OK(Create());
  Subject s(context);
  ASSERT_OK(cw_cohort_subject(context, cohort, 0, &s));
  double sum = 0, mean[3] = {0, 0, 0};
  size_t at = 0;
  for (int k = 0; k < 32; k++)
    for (int j = 0; j < 32; j++)
      for (int i = 0; i < 32; i++, at++)
        if (s.truth_logjac.data[at] > 0.1f) {
          const double index[3] = {double(i), double(j), double(k)};
          double p[3];
          cw_affine_apply(&s.image.grid.to_world, index, p);
          for (int a = 0; a < 3; a++)
            mean[a] += p[a];
          sum++;
        }
  ASSERT_GT(sum, 40);
  EXPECT_NEAR(mean[0] / sum, 20, 1.5);
  EXPECT_NEAR(mean[1] / sum, 22, 1.5);
  EXPECT_NEAR(mean[2] / sum, 3, 1.5);
  EXPECT_LT(s.image.grid.to_world.m[0][0], 0) << "i runs to the right";
  EXPECT_LT(s.image.grid.to_world.m[1][1], 0);
  EXPECT_GT(s.image.grid.to_world.m[2][2], 0);
}

// ---- random fields ----

TEST_F(Phantom, SmoothNoiseHasTheFiltersCorrelation) {
  // Correlation at a distance d of white noise under a Gaussian of sigma: exp(-d^2 / (4 sigma^2)), up to sampling.
  const int n = 48;
  const double sigma = 2;
  std::vector<float> f(n * n * n);
  cw_random random = cw_random_stream(5, 0);
  ASSERT_OK(cw_noise_smooth(context, &random, n, sigma, f.data()));
  double mean = 0;
  for (const float v : f)
    mean += v / double(f.size());
  const int stride[3] = {1, n, n * n};
  for (int axis = 0; axis < 3; axis++)
    for (const int d : {0, 1, 2, 4}) {
      double sum = 0;
      for (int s = 0; s < n * n * n; s++) {
        const int here = s / stride[axis] % n, shifted = s + ((here + d) % n - here) * stride[axis];
        sum += (f[size_t(s)] - mean) * (f[size_t(shifted)] - mean);
      }
      EXPECT_NEAR(sum / double(f.size()), std::exp(-d * d / (4 * sigma * sigma)), 0.06) << "axis " << axis;
    }
}

}  // namespace
}  // namespace cohort_test
