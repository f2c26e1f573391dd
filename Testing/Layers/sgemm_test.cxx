// The door to the BLAS: conventions, and calls from several threads at once.
#include <thread>

#include "Layers/harness.h"

extern "C" {
#include "Tensor/sgemm.h"
}

using namespace layers;

namespace {

// c = alpha op(a) op(b) + beta c with rows further apart than they are long.
TEST(Sgemm, MatchesTripleLoop) {
  for (bool ta : {false, true})
    for (bool tb : {false, true})
      for (float beta : {0.0f, 1.0f, -0.5f}) {
        const int m = 5, n = 17, k = 9, lda = (ta ? m : k) + 2, ldb = (tb ? k : n) + 3, ldc = n + 1;
        const std::vector<float> a = to_float(random_tensor({ta ? k : m, lda}, -1, 1, 1).data);
        const std::vector<float> b = to_float(random_tensor({tb ? n : k, ldb}, -1, 1, 2).data);
        // beta == 0 ignores what c holds.
        std::vector<float> c(m * ldc, beta == 0 ? NAN : 2.0f);
        cw_sgemm(ta, tb, m, n, k, 1.5f, a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
        for (int i = 0; i < m; i++)
          for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int l = 0; l < k; l++)
              sum += static_cast<double>(ta ? a[l * lda + i] : a[i * lda + l]) * (tb ? b[j * ldb + l] : b[l * ldb + j]);
            ASSERT_NEAR(c[i * ldc + j], 1.5 * sum + 2.0 * beta, 1e-5);
          }
      }
}

TEST(Sgemm, ThreadsDoNotDisturbEachOther) {
  const int n = 96, repeats = 40;
  const std::vector<float> a = to_float(random_tensor({n, n}, -1, 1, 1).data);
  const std::vector<float> b = to_float(random_tensor({n, n}, -1, 1, 2).data);
  std::vector<float> expected(n * n);
  cw_sgemm(false, true, n, n, n, 1, a.data(), n, b.data(), n, 0, expected.data(), n);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      std::vector<float> c(n * n);
      for (int r = 0; r < repeats; r++) {
        cw_sgemm(false, true, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n);
        wrong[t] += c != expected;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
