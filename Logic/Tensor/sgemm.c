#include "Tensor/sgemm.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* The Fortran interface, which every BLAS has (LP64 integers); no header is needed, and the number of threads, which
 * belongs to the whole process, is never touched. */
void sgemm_(const char *transpose_a, const char *transpose_b, const int *m, const int *n, const int *k,
            const float *alpha, const float *a, const int *lda, const float *b, const int *ldb, const float *beta,
            float *c, const int *ldc);

void cw_sgemm(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
              const float *b, int ldb, float beta, float *c, int ldc) {
  if (m <= 0 || n <= 0)
    return;
  /* A row-major matrix is the transpose of a column-major one: c^T = op(b)^T op(a)^T. */
  const char *const op_b = transpose_b ? "T" : "N", *const op_a = transpose_a ? "T" : "N";
#ifdef _OPENMP
  /* Inside a parallel region OpenBLAS stays in the calling thread; outside it would take as many as this thread may. */
  const int threads = omp_in_parallel() ? 1 : omp_get_max_threads();
  if (threads > 1)
    omp_set_num_threads(1);
#endif
  sgemm_(op_b, op_a, &n, &m, &k, &alpha, b, &ldb, a, &lda, &beta, c, &ldc);
#ifdef _OPENMP
  if (threads > 1)
    omp_set_num_threads(threads);
#endif
}
