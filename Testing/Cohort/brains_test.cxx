// Brains made from a real scan (ch2bet and AAL of Debian's mricron-data; skipped where they are not installed).
#include <algorithm>
#include <numeric>

#include "Cohort/cohort_internal.h"
#include "cohort_fixture.h"
#include "counterwarp/nifti.h"
#include "counterwarp/warp.h"

namespace cohort_test {
namespace {

const std::string templates = "/usr/share/mricron/templates/";

class Brains : public ContextTest {
 protected:
  Brains() : brain(context), atlas(context) {}
  ~Brains() override {
    cw_cohort_free(context, cohort);
    cw_brains_free(context, inner);
  }
  void SetUp() override {
    if (!std::ifstream(templates + "ch2bet.nii.gz") || !std::ifstream(templates + "aal.nii.gz"))
      GTEST_SKIP() << "mricron-data is not installed";
    ASSERT_OK(cw_nifti_read(context, (templates + "ch2bet.nii.gz").c_str(), &brain));
    ASSERT_OK(cw_nifti_read(context, (templates + "aal.nii.gz").c_str(), &atlas));
    options.kind = CW_COHORT_BRAINS;
    options.size = 32;
    options.subjects = 50;
    options.seed = 1;
    options.variability = 1;
    options.brain = &brain;
    options.atlas = &atlas;
  }
  // Trilinear share of a label at a template point (LPS mm).
  double Share(const double p[3], int label) const {
    cw_affine inverse;
    double index[3], sum = 0;
    if (cw_affine_invert(const_cast<TestContext &>(context), &atlas.grid.to_world, &inverse) != CW_OK)
      return NAN;
    cw_affine_apply(&inverse, p, index);
    for (int corner = 0; corner < 8; corner++) {
      double weight = 1;
      long at = 0, stride = 1;
      for (int a = 0; a < 3; a++) {
        const double base = std::floor(index[a]), f = index[a] - base;
        const long q = long(base) + (corner >> a & 1);
        weight *= corner >> a & 1 ? f : 1 - f;
        if (q < 0 || q >= atlas.grid.size[a])
          weight = 0;
        at += q * stride;
        stride *= atlas.grid.size[a];
      }
      sum += weight > 0 && atlas.data[at] == float(label) ? weight : 0;
    }
    return sum;
  }
  // Volume of a label on the subject's grid, before the disease and after (place at x + pullback).
  void Volumes(const cw_volume &place, const cw_volume &pullback, int label, double &before, double &after) const {
    Volume moved(const_cast<TestContext &>(context));
    before = after = 0;
    cw_volume copy = place;  // not owned
    ASSERT_EQ(cw_volume_warp(const_cast<TestContext &>(context), &copy, &pullback, &moved), CW_OK);
    const size_t n = cw_grid_samples(&place.grid);
    for (size_t s = 0; s < n; s++) {
      const double p[3] = {place.data[s], place.data[n + s], place.data[2 * n + s]};
      const double q[3] = {moved.data[s], moved.data[n + s], moved.data[2 * n + s]};
      before += Share(p, label);
      after += Share(q, label);
    }
  }
  // The generator behind the cohort, without the cohort's defaults.
  cw_status CreateInner() {
    cw_brains_free(context, inner);
    inner = nullptr;
    return cw_brains_create(context, &options, &inner);
  }

  Volume brain, atlas;
  cw_cohort_options options = {};
  cw_cohort *cohort = nullptr;
  cw_brains *inner = nullptr;
};

double rms(const std::vector<double> &v) {
  return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0) / double(v.size()));
}

// The default cohort at 32^3: intensities, severity, where and how strong the effect is.  The figures are those of an
// independent generator of the same statistical kind (log J above 0.1: mean 0.24 over some 600 voxels).
TEST_F(Brains, TheDefaultCohort) {
  ASSERT_OK(cw_cohort_create(context, &options, &cohort));
  double severity = 0, strong = 0, strong_count = 0, signal = 0;
  const int subjects = 8;
  for (int index = 0; index < subjects; index++) {
    Subject s(context);
    ASSERT_OK(cw_cohort_subject(context, cohort, index, &s));
    double spacing[3];
    cw_grid_spacing(&s.image.grid, spacing);
    EXPECT_NEAR(spacing[0], 3, 1e-9);
    EXPECT_EQ(cw_grid_samples(&s.image.grid), 32768u);
    std::vector<float> image = values(s.image);
    std::sort(image.begin(), image.end());
    EXPECT_GE(image.front(), 0);
    EXPECT_NEAR(image[32440], 1.15, 0.4) << "the 99th percentile";
    EXPECT_EQ(image[500], 0) << "there is air below the temporal lobes";
    if (index % 2) {
      EXPECT_GE(s.severity, .15);
      EXPECT_LE(s.severity, .35);
      severity += s.severity * 2 / subjects;
    } else {
      EXPECT_EQ(s.severity, 0);
    }
    double region = 0, mask = 0;
    for (size_t v = 0; v < 32768; v++) {
      const float log_j = s.truth_logjac.data[v];
      EXPECT_EQ(s.truth_mask.data[v], std::fabs(log_j) > 0.05f);
      region += s.truth_region.data[v];
      mask += s.truth_mask.data[v];
      signal += s.image.data[v] / 32768 / subjects;
      if (log_j > 0.1f) {
        strong += log_j;
        strong_count++;
      }
    }
    EXPECT_NEAR(region / 32768, 0.93, 0.05);
    EXPECT_NEAR(mask / 32768, 0.056, 0.02);
  }
  EXPECT_NEAR(severity, .25, .06);
  EXPECT_NEAR(strong / strong_count, 0.24, 0.02);
  EXPECT_NEAR(strong_count / subjects, 615, 60);
  EXPECT_NEAR(signal, 0.66, 0.08);
}

// A hippocampus loses what severity says, the truth is the log J of the map that does it, the map has no folds, and the
// patient is the healthy head seen through it.
TEST_F(Brains, TheTruthIsWhatWasDone) {
  options.size = 96;
  options.field_of_view = 96;  // 1 mm voxels, so that differences on the grid are close to derivatives
  options.effect_count = 1;
  options.effects[0] = {{37, 38}, .15, .35, false};
  ASSERT_OK(CreateInner());
  for (const int index : {1, 2}) {
    Volume pullback(context), place(context), jacobian(context), warped(context);
    Subject sick(context), well(context);
    const cw_subject_variant with = {false, true, &pullback, &place, false, 0},
                             without = {true, true, nullptr, nullptr, false, 0};
    ASSERT_OK(cw_brains_subject(context, inner, index, &with, &sick));
    ASSERT_OK(cw_brains_subject(context, inner, index, &without, &well));
    double total_before = 0, total_after = 0;
    for (const int label : {37, 38}) {
      double before, after;
      Volumes(place, pullback, label, before, after);
      EXPECT_GT(before, 5000);
      total_before += before;
      total_after += after;
    }
    EXPECT_NEAR(1 - total_after / total_before, index == 1 ? sick.severity : 0.25, 0.01) << "controls: the average";
    size_t folded = 1;
    ASSERT_OK(cw_volume_jacobian(context, &pullback, true, &jacobian, &folded));
    EXPECT_EQ(folded, 0u);
    std::vector<double> error, truth, residual, change;
    ASSERT_OK(cw_volume_warp(context, &well.image, &pullback, &warped));
    for (size_t v = 0; v < jacobian.samples(); v++) {
      const int i = int(v % 96), j = int(v / 96 % 96), k = int(v / 9216);
      if (std::min({i, j, k}) < 2 || std::max({i, j, k}) > 93 || sick.truth_mask.data[v] == 0)
        continue;
      error.push_back(jacobian.data[v] - sick.truth_logjac.data[v]);
      truth.push_back(sick.truth_logjac.data[v]);
      residual.push_back(warped.data[v] - sick.image.data[v]);
      change.push_back(well.image.data[v] - sick.image.data[v]);
    }
    EXPECT_LT(rms(error), 0.06 * rms(truth));
    if (index == 1) {
      EXPECT_GT(rms(change), 0.03);
      EXPECT_LT(rms(residual), 0.25 * rms(change)) << "what is left is interpolation";
    } else {
      EXPECT_EQ(rms(change), 0) << "controls are healthy, their truth is what would be";
    }
  }
}

// Structures that touch take from each other; doses are chosen against it.
TEST_F(Brains, NeighboursAndGrowth) {
  options.effect_count = 1;
  options.effects[0] = {{37, 41}, .25, .25, false};  // hippocampus and amygdala of one side
  options.size = 96;
  options.field_of_view = 96;
  ASSERT_OK(CreateInner());
  const auto losses = [&](int first, int second, double out[2]) {
    Volume pullback(context), place(context);
    Subject s(context);
    const cw_subject_variant variant = {false, true, &pullback, &place, false, 0};
    ASSERT_OK(cw_brains_subject(context, inner, 1, &variant, &s));
    int label[2] = {first, second};
    for (int l = 0; l < 2 && label[l]; l++) {
      double before, after;
      Volumes(place, pullback, label[l], before, after);
      out[l] = 1 - after / before;
    }
  };
  double loss[2];
  losses(37, 41, loss);
  EXPECT_NEAR(loss[0], .25, .02);
  EXPECT_NEAR(loss[1], .25, .02);
  options.effects[0] = {{77}, -.3, -.3, false};  // a thalamus that grows
  ASSERT_OK(CreateInner());
  losses(77, 0, loss);
  EXPECT_NEAR(loss[0], -.3, .01);
}

TEST_F(Brains, VentriclesGrow) {
  options.effect_count = 1;
  options.effects[0] = {{-1}, -.4, -.2, false};
  options.size = 64;
  ASSERT_OK(cw_cohort_create(context, &options, &cohort));
  Subject s(context);
  ASSERT_OK(cw_cohort_subject(context, cohort, 0, &s));
  double spacing[3], dark = 0, shrinking = 0, growing = 0;
  cw_grid_spacing(&s.image.grid, spacing);
  EXPECT_NEAR(spacing[0], 3, 1e-9) << "the whole head";
  for (size_t v = 0; v < 64 * 64 * 64; v++) {
    shrinking += s.truth_logjac.data[v] > 0.1f;
    growing += s.truth_logjac.data[v] < -0.15f;
    dark += s.truth_logjac.data[v] < -0.15f && s.image.data[v] < 0.6f;
  }
  EXPECT_GT(growing, 300);
  EXPECT_LT(shrinking, growing / 10);
  EXPECT_GT(dark, 0.6 * growing) << "fluid is dark in a T1 image";
}

// ---- what cw_preprocess_inspect says ----

TEST_F(Brains, InspectionWarnsOfSkullAndOddScansOnly) {
  ASSERT_TRUE(std::ifstream(templates + "ch2.nii.gz"));
  Volume head(context);
  ASSERT_OK(cw_nifti_read(context, (templates + "ch2.nii.gz").c_str(), &head));
  for (const int size : {32, 64}) {
    options.size = size;
    cw_cohort_free(context, cohort);
    ASSERT_OK(cw_cohort_create(context, &options, &cohort));
    // The template of a model: the mean of some of its scans.
    std::vector<float> mean(size_t(size) * size * size), input(mean.size());
    cw_preprocessing p = {};
    p.normalization = CW_NORMALIZE_PERCENTILE;
    p.high = 99.5;
    const int in_template = size == 32 ? 6 : 3, subjects = in_template + 2;
    for (int index = 0; index < subjects; index++) {
      Subject s(context);
      ASSERT_OK(cw_cohort_subject(context, cohort, index, &s));
      p.grid = s.image.grid;
      ASSERT_OK(cw_preprocess(context, &p, &s.image, nullptr, input.data()));
      if (index < in_template) {
        for (size_t v = 0; v < mean.size(); v++)
          mean[v] += input[v] / float(in_template);
        continue;
      }
      context.warnings.clear();
      cw_preprocess_inspect(context, &p, input.data(), mean.data(), "a normal scan");
      EXPECT_TRUE(context.warnings.empty()) << context.warnings.front();
    }
    ASSERT_OK(cw_preprocess(context, &p, &brain, nullptr, input.data()));
    context.warnings.clear();
    cw_preprocess_inspect(context, &p, input.data(), mean.data(), "the stripped template");
    EXPECT_TRUE(context.warnings.empty()) << context.warnings.front();
    // Contrast turned over.
    for (float &v : input)
      v = v > 0 ? 1 - v : 0;
    cw_preprocess_inspect(context, &p, input.data(), mean.data(), "inverted");
    ASSERT_FALSE(context.warnings.empty());
    EXPECT_NE(context.warnings[0].find("inverted"), std::string::npos);
    EXPECT_NE(context.warnings[0].find("correlation"), std::string::npos);
    // Skull left on.
    ASSERT_OK(cw_preprocess(context, &p, &head, nullptr, input.data()));
    context.warnings.clear();
    cw_preprocess_inspect(context, &p, input.data(), mean.data(), "sub-9");
    ASSERT_FALSE(context.warnings.empty()) << size;
    EXPECT_NE(context.warnings.back().find("sub-9"), std::string::npos);
    EXPECT_NE(context.warnings.back().find("skull"), std::string::npos);
  }
}

}  // namespace
}  // namespace cohort_test
