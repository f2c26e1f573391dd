// One answer of the simulator and many strengths: the same simulation as from scratch.
#include <cstring>

#include "simulate_fixture.h"

namespace results_test {
namespace {

class Response : public Simulate {
 protected:
  void Prepare() {
    fake.Wave(fake.V, 0.8, 0.4);
    fake.w.assign(fake.Samples(), 0.01f);
    Build();
    MakeScanElsewhere();
  }
  cw_status RespondAndMove(float direction, float strength, const cw_affine *transform) {
    cw_simulation_free(context, &s);
    cw_response response;
    cw_status status = cw_simulate_response(context, &model, &scan, transform, direction, &response);
    if (status == CW_OK)
      status = cw_simulate_strength(context, &model, &scan, transform, &response, strength, &s);
    cw_response_free(context, &response);
    return status;
  }
};

TEST_F(Response, EveryStrengthIsTheSimulation) {
  Prepare();
  const cw_affine t = Transform();
  for (const cw_field_model kind : {CW_FIELD_VELOCITY, CW_FIELD_DISPLACEMENT})
    for (const float direction : {1.0f, -1.0f}) {
      model.field = kind;
      cw_response response;
      ASSERT_OK(cw_simulate_response(context, &model, &scan, &t, direction, &response));
      for (const float strength : {0.0f, 0.4f, 1.0f, -0.7f}) {
        cw_simulation other;
        ASSERT_OK(cw_simulate_strength(context, &model, &scan, &t, &response, strength, &other));
        ASSERT_OK(Run(direction, strength, &t));
        const size_t n = cw_grid_samples(&scan.grid) * sizeof(float);
        EXPECT_EQ(memcmp(s.image.data, other.image.data, n), 0);
        EXPECT_EQ(memcmp(s.field.data, other.field.data, 3 * n), 0);
        EXPECT_EQ(memcmp(s.jacobian.data, other.jacobian.data, n), 0);
        EXPECT_EQ(memcmp(s.log_jacobian.data, other.log_jacobian.data, n), 0);
        EXPECT_EQ(s.folded, other.folded);
        EXPECT_EQ(s.largest, other.largest);
        EXPECT_EQ(s.mean, other.mean);
        // Rows of a batch may differ in their last bits.
        EXPECT_NEAR(s.logit_before, other.logit_before, 1e-5 * std::fabs(s.logit_before));
        EXPECT_NEAR(s.logit_after, other.logit_after, 1e-5 * std::fabs(s.logit_after));
        cw_simulation_free(context, &other);
      }
      cw_response_free(context, &response);
    }
}

TEST_F(Response, RefusesBadInput) {
  Prepare();
  cw_response response;
  EXPECT_EQ(cw_simulate_response(context, &model, &scan, nullptr, 0.5f, &response), CW_ERROR_ARGUMENT);
  EXPECT_EQ(response.input, nullptr);
  const cw_affine t = Transform();
  EXPECT_EQ(RespondAndMove(1, kNan, &t), CW_ERROR_ARGUMENT);
  scan.data[5] = kInf;
  EXPECT_EQ(RespondAndMove(1, 1, &t), CW_ERROR_NUMERIC);
  scan.data[5] = 0;
  model.kind = CW_MODEL_CLASSIFIER;
  EXPECT_EQ(RespondAndMove(1, 1, &t), CW_ERROR_ARGUMENT);
  model.kind = CW_MODEL_SIMULATOR;
}

TEST_F(Response, EveryAllocationMayFailAndEveryReportMayCancel) {
  Prepare();
  const cw_affine t = Transform();
  const int before = live;
  for (int *left : {&allocations_left, &progress_left}) {
    const cw_status expected = left == &allocations_left ? CW_ERROR_MEMORY : CW_ERROR_CANCELLED;
    cw_status status = expected;
    int calls = 0;
    for (; calls < 3000 && status == expected; calls++) {
      *left = calls;
      status = RespondAndMove(1, 1, &t);
      if (status == expected) {
        ASSERT_EQ(live, before) << calls;
      }
    }
    *left = -1;
    EXPECT_EQ(status, CW_OK) << Message();
    EXPECT_GT(calls, 5);
    cw_simulation_free(context, &s);
  }
}

}  // namespace
}  // namespace results_test
