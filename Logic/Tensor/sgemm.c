#include "Tensor/sgemm.h"

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
  sgemm_(transpose_b ? "T" : "N", transpose_a ? "T" : "N", &n, &m, &k, &alpha, b, &ldb, a, &lda, &beta, c, &ldc);
}
