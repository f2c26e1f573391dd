// What tells the groups apart, shape or tissue: on scans whose difference is known; ratios and shares in pairs.
#include <array>
#include <random>

#include "fake_model.h"

namespace results_test {
namespace {

class Exchange : public ContextTest {
 protected:
  ~Exchange() override = default;
  void SetUp() override {
    fake.grid = ObliqueGrid(22, 20, 18, 3, 3, 3, 0, std::array<double, 3>{0, 0, 0}.data());
    const size_t n = fake.Samples();
    fake.V.assign(3 * n, 0);
    fake.M.assign(3 * n, 0);
    fake.w.assign(n, 0);
    // Reads the sum over where the ball may be: less of it where the ball is smaller, or darker.
    ForEach(fake.grid,
            [&](size_t at, int i, int j, int k, const double *) { fake.w[at] = Radius(i, j, k) < 7 ? -0.01f : 0; });
    ASSERT_OK(fake.Build(context, &model));
  }
  void TearDown() override {
    cw_model_free(context, &model);
    ContextTest::TearDown();
  }
  static double Radius(double i, double j, double k) {
    return std::sqrt((i - 10.5) * (i - 10.5) + (j - 9.5) * (j - 9.5) + (k - 8.5) * (k - 8.5));
  }
  // A bright ball in a darker head with texture, a little elsewhere and of its own size in each subject.
  std::vector<float> Scan(int seed, double radius, double brightness) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> draw(-1, 1);
    const double shift[3] = {draw(random), draw(random), draw(random)}, own = radius + 0.3 * draw(random);
    std::vector<float> x(fake.Samples());
    ForEach(fake.grid, [&](size_t at, int i, int j, int k, const double *) {
      const double r = Radius(i - shift[0], j - shift[1], k - shift[2]);
      const double inside = 1 / (1 + std::exp(2 * (r - own)));
      const double grain = 0.1 * std::sin(0.9 * i + shift[0]) * std::cos(0.8 * j) + 0.1 * std::sin(0.7 * k + shift[1]);
      x[at] = float((0.5 + grain) * (1 - inside) + brightness * inside * (1 + 0.5 * grain) + 0.01 * draw(random));
    });
    return x;
  }
  cw_exchange Run(double radius, double brightness) {
    const int n = 6;
    std::vector<std::vector<float>> scans[2];
    for (int i = 0; i < n; i++) {
      scans[0].push_back(Scan(i, 5, 1));
      scans[1].push_back(Scan(100 + i, radius, brightness));
    }
    double logits[n][2][2];
    for (int i = 0; i < n; i++)
      for (int g = 0; g < 2; g++) {
        float logit[2];
        EXPECT_OK(cw_exchange_shape(context, &model, scans[g][i].data(), scans[g][(i + 1) % n].data(),
                                    scans[1 - g][i].data(), logit));
        logits[i][g][g] = logit[0];
        logits[i][g][1 - g] = logit[1];
      }
    cw_exchange exchange;
    EXPECT_OK(cw_exchange_summarize(context, logits, n, &exchange));
    EXPECT_NEAR(exchange.shape.mean + exchange.tissue.mean, exchange.shape.mean / exchange.share.mean, 1e-9);
    return exchange;
  }
  FakeModel fake;
  cw_model model = {};
};

// One classifier, two diseases: only the data tell which of the two it reads in them.
TEST_F(Exchange, AShrinkingBallIsShape) {
  const cw_exchange e = Run(3.8, 1);
  EXPECT_GT(e.shape.mean, 0);
  EXPECT_GT(e.share.low, 0.5);
}

TEST_F(Exchange, ADarkerBallIsTissue) {
  const cw_exchange e = Run(5, 0.75);
  EXPECT_GT(e.tissue.mean, 0);
  EXPECT_LT(e.share.high, 0.5);
}

TEST_F(Exchange, NoDifferenceHasNoShare) {
  const cw_exchange e = Run(5, 1);
  EXPECT_FALSE(e.share.low > 0.5) << e.share.low;
  EXPECT_FALSE(e.share.high < 0.5) << e.share.high;
}

TEST_F(Exchange, RefusesAndFreesAll) {
  cw_exchange e;
  EXPECT_EQ(cw_exchange_summarize(context, nullptr, 0, &e), CW_ERROR_ARGUMENT);
  auto bad = Scan(1, 5, 1);
  const auto good = bad;
  bad[3] = kNan;
  float logit[2];
  EXPECT_EQ(cw_exchange_shape(context, &model, good.data(), bad.data(), good.data(), logit), CW_ERROR_NUMERIC);
  EXPECT_EQ(cw_exchange_shape(context, &model, good.data(), good.data(), bad.data(), logit), CW_ERROR_NUMERIC);
  const int before = live;
  for (const int at : {0, 1, 2, 5}) {
    allocations_left = at;
    EXPECT_EQ(cw_exchange_shape(context, &model, good.data(), good.data(), good.data(), logit), CW_ERROR_MEMORY);
    allocations_left = -1;
    EXPECT_EQ(live, before);
  }
}

// Two effects of known size in hand-made logits.
TEST_F(Exchange, TheEffectsAddUp) {
  const double logits[3][2][2] = {{{-4, -1}, {2, 5}}, {{-4, -2}, {2, 4}}, {{-5, 0}, {2, 7}}};  // [tissue][shape]
  cw_exchange e;
  ASSERT_OK(cw_exchange_summarize(context, logits, 3, &e));
  EXPECT_NEAR(e.shape.mean, (3 + 2 + 5) / 3.0, 1e-12);
  EXPECT_NEAR(e.tissue.mean, (6 + 6 + 7) / 3.0, 1e-12);
  EXPECT_NEAR(e.share.mean, 10 / 29.0, 1e-12);
}

// Fieller: the bounds are where the mean of a - r b leaves its t interval around 0.
TEST(Ratio, BoundsAreFiellers) {
  const double a[5] = {1, 2, 1.5, 0.4, 1.1}, b[5] = {3, 2.5, 3.1, 2, 2.2};
  const cw_summary r = cw_ratio_of_means(a, b, 5);
  EXPECT_NEAR(r.mean, 6.0 / 12.8, 1e-12);
  const auto excludes_zero = [&](double at) {
    double d[5];
    for (int i = 0; i < 5; i++)
      d[i] = a[i] - at * b[i];
    const cw_summary s = cw_summarize(d, 5);
    return s.low > 0 || s.high < 0;
  };
  EXPECT_TRUE(excludes_zero(r.low - 1e-6));
  EXPECT_FALSE(excludes_zero(r.low + 1e-6));
  EXPECT_FALSE(excludes_zero(r.high - 1e-6));
  EXPECT_TRUE(excludes_zero(r.high + 1e-6));
  const double noise[5] = {1, -1, 0.5, -0.6, 0.2};
  EXPECT_TRUE(std::isnan(cw_ratio_of_means(a, noise, 5).low)) << "a denominator like 0";
  EXPECT_TRUE(std::isnan(cw_ratio_of_means(a, b, 1).low));
  EXPECT_EQ(cw_ratio_of_means(a, b, 1).mean, 1 / 3.0);
  EXPECT_EQ(cw_ratio_of_means(a, b, 0).count, 0);
}

TEST(Ratio, BalancedSharesKeepTheIntervalOfTheirParts) {
  const cw_summary a = cw_proportion(30, 30), b = cw_proportion(15, 30), s = cw_balanced_proportion(30, 30, 15, 30);
  EXPECT_EQ(s.count, 60);
  EXPECT_NEAR(s.mean, 0.75, 1e-12);
  EXPECT_NEAR(s.mean - s.low, 0.5 * std::hypot(a.mean - a.low, b.mean - b.low), 1e-12);
  EXPECT_NEAR(s.high - s.mean, 0.5 * std::hypot(a.high - a.mean, b.high - b.mean), 1e-12);
  EXPECT_LE(s.high, 1);
  EXPECT_TRUE(std::isnan(cw_balanced_proportion(1, 2, 0, 0).low)) << "a group without scans";
}

}  // namespace
}  // namespace results_test
