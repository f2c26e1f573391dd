/* Internal: the one door to the BLAS. */
#ifndef COUNTERWARP_SGEMM_H
#define COUNTERWARP_SGEMM_H

#include <stdbool.h>

/* c = alpha op(a) op(b) + beta c, all row-major: op(a) is m x k, op(b) is k x n, c is m x n; lda, ldb and ldc are the
 * distances between rows as stored (a is stored k x m if transpose_a, b n x k if transpose_b).  beta == 0 overwrites c
 * whatever it holds.  Runs in the calling thread and may be called from several threads at once; equal calls give equal
 * bits. */
void cw_sgemm(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
              const float *b, int ldb, float beta, float *c, int ldc);

#endif
