// The slider on a simulator whose fields are known: its positions against independent warping, and its full resolution
// against cw_simulate.
#include "counterwarp/live.h"

#include <cstring>

#include "counterwarp/warp.h"
#include "simulate_fixture.h"

namespace results_test {
namespace {

class Live : public Simulate {
 protected:
  void TearDown() override {
    Close();
    Simulate::TearDown();
  }
  void Close() {
    cw_live_free(context, slider);
    slider = nullptr;
  }
  cw_status Open(const cw_affine *transform = nullptr) {
    Close();
    return cw_live_create(context, &model, &scan, transform, &slider);
  }
  // A model whose logit, injection and removal all differ.
  void Prepare(const cw_affine *transform) {
    fake.Wave(fake.V, 1.5, 0.3);
    fake.Wave(fake.M, 0.8, 1.1);
    for (size_t i = 0; i < fake.Samples(); i++)
      fake.w[i] = 1e-3f * float(i % 17);
    Build();
    MakeScanElsewhere();
    ASSERT_OK(Open(transform));
  }
  void ExpectSame(const cw_volume &a, const cw_volume &b) {
    ASSERT_TRUE(cw_grid_same(&a.grid, &b.grid, 0));
    EXPECT_EQ(0, std::memcmp(a.data, b.data, cw_grid_samples(&a.grid) * a.components * sizeof(float)));
  }

  cw_live *slider = nullptr;
};

TEST_F(Live, EveryPositionAgainstIndependentWarping) {
  const cw_affine t = Transform();
  Prepare(&t);
  const size_t n = fake.Samples();
  const std::vector<float> input = Input(scan, &t);
  EXPECT_EQ(0, std::memcmp(input.data(), cw_live_input(slider), n * sizeof(float)));
  cw_volume plain = {};
  ASSERT_OK(cw_volume_create(context, &fake.grid, 1, &plain));
  ASSERT_OK(cw_volume_resample_mean(context, &scan, &t, &plain));
  const std::vector<float> own(plain.data, plain.data + n);
  cw_volume_free(context, &plain);
  std::vector<float> image(n), log_jacobian(n), expected(n);
  for (double strength : {-1.0, -0.37, 0.0, 0.5, 1.0, 1.6}) {
    double logit = 0;
    ASSERT_OK(cw_live_preview(context, slider, strength, image.data(), log_jacobian.data(), &logit));
    const auto u = Displacement(input, strength > 0 ? 1.0f : -1.0f, float(std::fabs(strength)));
    const auto warped = Warped(own, u);
    for (size_t i = 0; i < n; i++)
      ASSERT_NEAR(image[i], warped[i], 2e-3) << strength << " at " << i;  // intensities up to 140
    EXPECT_NEAR(logit, fake.Logit(Warped(input, u).data()), 1e-4) << strength;
    cw_jacobian_determinant(fake.grid.size, u.data(), true, expected.data(), 1);
    for (size_t i = 0; i < n; i++)
      ASSERT_NEAR(log_jacobian[i], expected[i], 1e-4) << strength << " at " << i;
  }
}

TEST_F(Live, PartsThatAreNotWantedChangeNothing) {
  Prepare(nullptr);
  const size_t n = fake.Samples();
  std::vector<float> image(n), again(n), log_jacobian(n), jacobian_again(n);
  double logit, logit_again;
  ASSERT_OK(cw_live_preview(context, slider, 0.7, image.data(), log_jacobian.data(), &logit));
  ASSERT_OK(cw_live_preview(context, slider, 0.7, again.data(), nullptr, nullptr));
  ASSERT_OK(cw_live_preview(context, slider, 0.7, nullptr, jacobian_again.data(), nullptr));
  ASSERT_OK(cw_live_preview(context, slider, 0.7, nullptr, nullptr, &logit_again));
  EXPECT_EQ(image, again);
  EXPECT_EQ(log_jacobian, jacobian_again);
  EXPECT_EQ(logit, logit_again);
}

TEST_F(Live, TheCurveIsThatOfTheSliderAndOfASimulation) {
  Prepare(nullptr);
  ASSERT_OK(Run(1, 1));
  double strength[CW_CURVE_POINTS], logit[CW_CURVE_POINTS];
  ASSERT_OK(cw_live_curve(context, slider, strength, logit));
  ASSERT_OK(cw_live_curve(context, slider, nullptr, nullptr));
  for (int i = 0; i < CW_CURVE_POINTS; i++) {
    double at = 0;
    ASSERT_OK(cw_live_preview(context, slider, strength[i], nullptr, nullptr, &at));
    EXPECT_NEAR(at, logit[i], 1e-6 * std::fabs(at));
    EXPECT_EQ(strength[i], s.curve_strength[i]);
    EXPECT_NEAR(logit[i], s.curve_logit[i], 1e-6 * std::fabs(logit[i]));
  }
}

TEST_F(Live, FullResolutionIsThatOfASimulation) {
  const cw_affine t = Transform();
  Prepare(&t);
  cw_context *other = Create(2);
  for (float direction : {1.0f, -1.0f}) {
    ASSERT_OK(Run(direction, 0.6f, &t));
    cw_simulation full = {};
    ASSERT_EQ(cw_live_simulate(other, slider, direction * 0.6f, &full), CW_OK) << cw_context_message(other);
    ExpectSame(full.image, s.image);
    ExpectSame(full.field, s.field);
    ExpectSame(full.jacobian, s.jacobian);
    ExpectSame(full.log_jacobian, s.log_jacobian);
    EXPECT_NEAR(full.logit_before, s.logit_before, 1e-6 * std::fabs(s.logit_before));
    EXPECT_NEAR(full.logit_after, s.logit_after, 1e-6 * std::fabs(s.logit_after));
    EXPECT_EQ(full.largest, s.largest);
    EXPECT_EQ(full.mean, s.mean);
    cw_simulation_free(other, &full);
  }
  cw_context_free(other);
}

TEST_F(Live, SameBitsOnAnyNumberOfThreads) {
  Prepare(nullptr);
  const size_t n = fake.Samples();
  std::vector<float> image(n), log_jacobian(n), image_again(n), jacobian_again(n);
  double logit, logit_again;
  ASSERT_OK(cw_live_preview(context, slider, -0.8, image.data(), log_jacobian.data(), &logit));
  for (int threads : {2, 3}) {
    cw_context *other = Create(threads);
    cw_live *again = nullptr;
    ASSERT_EQ(cw_live_create(other, &model, &scan, nullptr, &again), CW_OK);
    ASSERT_EQ(cw_live_preview(other, again, -0.8, image_again.data(), jacobian_again.data(), &logit_again), CW_OK);
    EXPECT_EQ(image, image_again);
    EXPECT_EQ(log_jacobian, jacobian_again);
    EXPECT_EQ(logit, logit_again);
    cw_live_free(other, again);
    cw_context_free(other);
  }
}

TEST_F(Live, RefusesWhatItCannotShow) {
  Prepare(nullptr);
  double logit;
  for (double strength : {double(kNan), double(kInf), -double(kInf)})
    EXPECT_EQ(cw_live_preview(context, slider, strength, nullptr, nullptr, &logit), CW_ERROR_ARGUMENT);
  cw_simulation full = {};
  EXPECT_EQ(cw_live_simulate(context, slider, kNan, &full), CW_ERROR_ARGUMENT);
  model.kind = CW_MODEL_CLASSIFIER;
  EXPECT_NE(Open(), CW_OK);
  EXPECT_EQ(slider, nullptr);
  model.kind = CW_MODEL_SIMULATOR;
  scan.data[3] = kNan;
  EXPECT_EQ(Open(), CW_ERROR_NUMERIC);
  scan.data[3] = 0;
  const cw_affine far = {{{1, 0, 0, 1e4}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  EXPECT_EQ(Open(&far), CW_ERROR_ARGUMENT);
  EXPECT_NE(Message().find("lies inside the scan"), std::string::npos) << Message();
}

TEST_F(Live, EveryAllocationMayFail) {
  Prepare(nullptr);
  Close();
  const int before = live;
  std::vector<float> image(fake.Samples());
  cw_status status = CW_ERROR_MEMORY;
  int failed = 0;
  for (; failed < 1000 && status == CW_ERROR_MEMORY; failed++) {
    allocations_left = failed;
    double logit;
    status = Open();
    if (status == CW_OK)
      status = cw_live_preview(context, slider, 0.5, image.data(), nullptr, &logit);
    if (status == CW_OK)
      status = cw_live_curve(context, slider, nullptr, nullptr);
    Close();
    ASSERT_EQ(live, before) << "allocation " << failed;
  }
  allocations_left = -1;
  EXPECT_EQ(status, CW_OK) << Message();
  EXPECT_GT(failed, 10);
}

TEST_F(Live, ACancelledCurveGoesOn) {
  Prepare(nullptr);
  double logit[CW_CURVE_POINTS];
  progress_left = 5;
  EXPECT_EQ(cw_live_curve(context, slider, nullptr, logit), CW_ERROR_CANCELLED);
  progress_left = CW_CURVE_POINTS - 5;
  ASSERT_OK(cw_live_curve(context, slider, nullptr, logit));
  progress_left = -1;
  ASSERT_OK(Run(1, 1));
  for (int i = 0; i < CW_CURVE_POINTS; i++)
    EXPECT_NEAR(logit[i], s.curve_logit[i], 1e-6 * std::fabs(logit[i]));
}

}  // namespace
}  // namespace results_test
