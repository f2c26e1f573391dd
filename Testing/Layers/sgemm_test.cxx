// The door to the BLAS: conventions, and calls from several threads at once.
#include <omp.h>

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

// Small products too, of which thousands a second begin at once: a BLAS that gives two threads the same scratch memory
// is found out.
TEST(Sgemm, ThreadsDoNotDisturbEachOther) {
  const struct {
    int m, n, k, repeats;
    bool ta, tb;
  } products[] = {{96, 96, 96, 40, false, true},
                  {9, 16, 24, 20000, false, true},
                  {40, 40, 40, 5000, false, true},
                  {48, 129, 200, 200, true, false},
                  {64, 64, 64, 1000, false, false}};
  for (const auto &p : products) {
    const std::vector<float> a = to_float(random_tensor({p.m, p.k}, -1, 1, 1).data);
    const std::vector<float> b = to_float(random_tensor({p.k, p.n}, -1, 1, 2).data);
    const auto multiply = [&](std::vector<float> &c) {
      cw_sgemm(p.ta, p.tb, p.m, p.n, p.k, 1, a.data(), p.ta ? p.m : p.k, b.data(), p.tb ? p.k : p.n, 0, c.data(), p.n);
    };
    std::vector<float> expected(p.m * p.n);
    multiply(expected);
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
      threads.emplace_back([&, t] {
        std::vector<float> c(p.m * p.n);
        for (int r = 0; r < p.repeats; r++) {
          multiply(c);
          wrong[t] += c != expected;
        }
      });
    for (std::thread &thread : threads)
      thread.join();
    EXPECT_EQ(wrong, std::vector<int>(4, 0)) << p.m << " x " << p.n << " x " << p.k;
  }
}

// The number of threads of the caller stays what it was.
TEST(Sgemm, LeavesTheCallersThreads) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(3);
  const std::vector<float> a(300 * 300, 1);
  std::vector<float> c(300 * 300);
  cw_sgemm(false, false, 300, 300, 300, 1, a.data(), 300, a.data(), 300, 0, c.data(), 300);
  EXPECT_EQ(omp_get_max_threads(), 3);
  EXPECT_EQ(c[0], 300);
  omp_set_num_threads(before);
}

}  // namespace
