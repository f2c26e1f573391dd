// Scans on a model's grid: resampling, normalisation, refusals; and whole data sets.
#include <algorithm>
#include <map>

#include "cohort_fixture.h"
#include "counterwarp/random.h"

namespace cohort_test {
namespace {

cw_grid grid(int size, double spacing, double x = 0, double y = 0, double z = 0) {
  const double center[3] = {x, y, z};
  return cw_grid_cube(size, spacing, center);
}

class Preprocess : public ContextTest {
 protected:
  // Uniform numbers in [-0.2, 0.8).
  void Fill(cw_volume &volume, uint64_t seed = 1) {
    for (size_t s = 0; s < cw_grid_samples(&volume.grid); s++)
      volume.data[s] = cw_random_at(seed, 0, s) - 0.2f;
  }
  cw_status Run(const cw_grid &model, const cw_volume &scan, cw_normalization_kind kind, double high = 99.5,
                const cw_affine *transform = nullptr) {
    const cw_preprocessing p = {model, kind, high, 0};
    out.assign(cw_grid_samples(&model), -99);
    return cw_preprocess(context, &p, &scan, transform, out.data());
  }
  std::vector<float> out;
};

TEST_F(Preprocess, SameGridWithoutNormalisationCopies) {
  Volume scan(context, grid(12, 2));
  Fill(scan);
  ASSERT_OK(Run(scan.grid, scan, CW_NORMALIZE_NONE));
  for (size_t s = 0; s < out.size(); s++)
    EXPECT_NEAR(out[s], scan.data[s], 1e-5);
}

TEST_F(Preprocess, PercentileOfTheModelsGrid) {
  Volume scan(context, grid(11, 2));
  Fill(scan);
  std::vector<float> sorted = values(scan);
  std::sort(sorted.begin(), sorted.end());
  for (const double high : {40.0, 75.0, 99.5, 99.99, 100.0}) {
    // numpy's default: linear between ranks.
    const double rank = high / 100 * double(sorted.size() - 1);
    const size_t below = size_t(rank), above = std::min(below + 1, sorted.size() - 1);
    const double expected = sorted[below] + (sorted[above] - sorted[below]) * (rank - double(below));
    ASSERT_OK(Run(scan.grid, scan, CW_NORMALIZE_PERCENTILE, high));
    for (size_t s = 0; s < out.size(); s += 37)
      EXPECT_NEAR(out[s], scan.data[s] / expected, 1e-4);
  }
}

TEST_F(Preprocess, PercentileOfManyEqualSamples) {
  Volume scan(context, grid(10, 2));
  for (size_t s = 0; s < scan.samples(); s++)
    scan.data[s] = s % 10 == 0 ? 4.0f : 0.0f;
  ASSERT_OK(Run(scan.grid, scan, CW_NORMALIZE_PERCENTILE));
  EXPECT_NEAR(*std::max_element(out.begin(), out.end()), 1, 1e-5);
}

TEST_F(Preprocess, ZscoreOfSamplesAboveZero) {
  Volume scan(context, grid(12, 2));
  Fill(scan);
  ASSERT_OK(Run(scan.grid, scan, CW_NORMALIZE_ZSCORE));
  double sum = 0, squares = 0;
  int count = 0;
  for (size_t s = 0; s < out.size(); s++)
    if (scan.data[s] > 1e-5) {
      sum += out[s];
      squares += out[s] * out[s];
      count++;
    } else if (scan.data[s] < -1e-5) {
      ASSERT_EQ(out[s], 0);
    }
  EXPECT_NEAR(sum / count, 0, 1e-4);
  EXPECT_NEAR(squares / count, 1, 1e-3);
}

TEST_F(Preprocess, TransformCarriesModelPointsToTheScan) {
  // The scan lies 40 mm to the left of where the model expects it; the transform says so.
  Volume aligned(context, grid(16, 2)), shifted(context, grid(16, 2, 40));
  Fill(aligned);
  std::copy(aligned.data, aligned.data + aligned.samples(), shifted.data);
  cw_affine transform = cw_affine_identity();
  transform.m[0][3] = 40;
  ASSERT_OK(Run(grid(16, 2), aligned, CW_NORMALIZE_NONE));
  const std::vector<float> expected = out;
  ASSERT_OK(Run(grid(16, 2), shifted, CW_NORMALIZE_NONE, 99.5, &transform));
  for (size_t s = 0; s < out.size(); s++)
    EXPECT_NEAR(out[s], expected[s], 1e-4);
  EXPECT_EQ(Run(grid(16, 2), shifted, CW_NORMALIZE_NONE), CW_ERROR_ARGUMENT);
  Says({"0 %", "25 %", "transform"});
}

TEST_F(Preprocess, AQuarterOfTheGridMustLieInside) {
  Volume scan(context, grid(16, 2));
  Fill(scan);
  EXPECT_EQ(Run(grid(16, 2, 26), scan, CW_NORMALIZE_NONE), CW_ERROR_ARGUMENT);  // 3 of 16 planes
  EXPECT_EQ(Run(grid(16, 2, 22), scan, CW_NORMALIZE_NONE), CW_OK);              // 5 of 16
  EXPECT_EQ(Run(grid(64, 2), scan, CW_NORMALIZE_NONE), CW_ERROR_ARGUMENT);      // a small scan in a large field
}

TEST_F(Preprocess, Refusals) {
  Volume scan(context, grid(8, 2));
  EXPECT_EQ(Run(scan.grid, scan, CW_NORMALIZE_NONE), CW_ERROR_ARGUMENT);
  Says({"zero everywhere"});
  Fill(scan);
  for (const double high : {0.0, -1.0, 100.1, double(NAN)})
    EXPECT_EQ(Run(scan.grid, scan, CW_NORMALIZE_PERCENTILE, high), CW_ERROR_ARGUMENT) << high;
  EXPECT_EQ(Run(scan.grid, scan, cw_normalization_kind(9)), CW_ERROR_ARGUMENT);
  EXPECT_EQ(Run(scan.grid, scan, CW_NORMALIZE_PERCENTILE, 1), CW_ERROR_ARGUMENT);  // a negative percentile
  cw_grid broken = scan.grid;
  broken.size[1] = 0;
  EXPECT_EQ(Run(broken, scan, CW_NORMALIZE_NONE), CW_ERROR_ARGUMENT);
  cw_affine singular = {};
  EXPECT_EQ(Run(scan.grid, scan, CW_NORMALIZE_NONE, 99.5, &singular), CW_ERROR_NUMERIC);
  for (const float bad : {float(NAN), float(INFINITY)}) {
    scan.data[77] = bad;
    EXPECT_EQ(Run(scan.grid, scan, CW_NORMALIZE_PERCENTILE), CW_ERROR_NUMERIC);
    Says({"77"});
  }
  std::fill(scan.data, scan.data + scan.samples(), 3.0f);
  EXPECT_EQ(Run(scan.grid, scan, CW_NORMALIZE_ZSCORE), CW_ERROR_ARGUMENT);  // all alike
  Volume field(context, grid(8, 2), 3);
  EXPECT_EQ(Run(scan.grid, field, CW_NORMALIZE_NONE), CW_ERROR_SHAPE);
}

TEST_F(Preprocess, EveryAllocationMayFail) {
  Volume scan(context, grid(8, 2));
  Fill(scan);
  int at = 0;
  for (cw_status status = CW_ERROR_MEMORY; status != CW_OK; at++) {
    context.reset(at);
    status = Run(scan.grid, scan, CW_NORMALIZE_PERCENTILE);
    ASSERT_TRUE(status == CW_OK || status == CW_ERROR_MEMORY);
    ASSERT_EQ(context.leaked(), 0);
  }
  EXPECT_GE(at, 3);
}

// ---- data sets ----

class Dataset : public Preprocess {
 protected:
  // Images by "file name": a constant plus a gradient; "missing" is refused as a reader would.
  static cw_status Reader(cw_context *c, const char *path, cw_volume *volume) {
    const std::string name = path;
    if (name == "missing")
      return cw_fail(c, CW_ERROR_FILE, "%s: not there", path);
    const cw_grid on = grid(8, 2);
    CW_TRY(cw_volume_create(c, &on, 1, volume));
    for (size_t s = 0; s < cw_grid_samples(&on); s++)
      volume->data[s] = float(name.size()) + float(s) / 512;
    return CW_OK;
  }
  cw_status Load(std::vector<std::string> images, const std::string &transform = "") {
    std::vector<cw_scan> scans(images.size());
    char empty[] = "", participant[] = "sub-7", session[] = "ses-2";
    for (size_t i = 0; i < images.size(); i++) {
      scans[i] = {participant, session, i % 2 ? CW_PATIENT : CW_CONTROL, &images[i][0], empty, empty, empty, empty};
      if (!transform.empty())
        scans[i].transform = const_cast<char *>(transform.c_str());
    }
    const cw_table table = {int(images.size()), scans.data()};
    const cw_preprocessing p = {grid(8, 2), CW_NORMALIZE_NONE, 0, 0};
    return cw_dataset_load(context, &table, &p, Reader, &dataset);
  }
  cw_dataset dataset = {};
};

TEST_F(Dataset, HoldsEveryScanInTheTablesOrder) {
  ASSERT_OK(Load({"a", "bbb", "cc"}));
  ASSERT_EQ(dataset.count, 3);
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(dataset.label[i], i % 2);
    EXPECT_NEAR(dataset.samples[i * 512 + 100], (i == 0 ? 1 : i == 1 ? 3 : 2) + 100 / 512.0f, 1e-4);
  }
  EXPECT_EQ(context.fraction, 1);
  cw_dataset_free(context, &dataset);
  EXPECT_EQ(dataset.samples, nullptr);
  EXPECT_EQ(context.leaked(), 0);
}

TEST_F(Dataset, UsesTheTransform) {
  const TemporaryFile file("1 0 0 0\n0 1 0 0\n0 0 1 4\n");  // two voxels up
  ASSERT_OK(Load({"a"}, file.path));
  EXPECT_NEAR(dataset.samples[0], 1 + 2 * 64 / 512.0f, 1e-4);
  cw_dataset_free(context, &dataset);
}

TEST_F(Dataset, FailuresNameTheScan) {
  EXPECT_EQ(Load({"a", "missing"}), CW_ERROR_FILE);
  Says({"sub-7", "ses-2", "missing: not there"});
  EXPECT_EQ(Load({"a"}, "/no/transform.tfm"), CW_ERROR_FILE);
  Says({"sub-7", "/no/transform.tfm"});
  EXPECT_EQ(Load({}), CW_ERROR_ARGUMENT);
  context.cancel = true;
  EXPECT_EQ(Load({"a"}), CW_ERROR_CANCELLED);
  EXPECT_EQ(context.leaked(), 0);
}

TEST_F(Dataset, EveryAllocationMayFail) {
  const TemporaryFile file("1 0 0 0\n0 1 0 0\n0 0 1 4\n");
  int at = 0;
  for (cw_status status = CW_ERROR_MEMORY; status != CW_OK; at++) {
    context.reset(at);
    status = Load({"a", "b"}, file.path);
    ASSERT_TRUE(status == CW_OK || status == CW_ERROR_MEMORY) << context.message();
    if (status != CW_OK) {
      ASSERT_EQ(context.leaked(), 0);
    }
  }
  EXPECT_GE(at, 8);
  cw_dataset_free(context, &dataset);
}

}  // namespace
}  // namespace cohort_test
