/* Internal: small pieces that the layers share.
 *
 * Work is cut into parts whose number depends on shapes alone; threads take whole parts.  A result is therefore the
 * same bits for any number of threads. */
#ifndef COUNTERWARP_LAYER_H
#define COUNTERWARP_LAYER_H

#include <stdint.h>

#include "Graph/operator.h"
#include "Tensor/dispatch.h"

enum { CW_PART = 16384 }; /* elements of one part of an element-wise layer: 64 KiB an array, several in L2 */

/* parallel for over parts; no parallel region for a single part. */
#define CW_PARALLEL_TEXT(text) _Pragma(#text)
#define CW_PARALLEL(parts, threads) \
  CW_PARALLEL_TEXT(omp parallel for num_threads(threads) schedule(static) if ((parts) > 1 && (threads) > 1))

static inline int64_t cw_elements(const cw_shape *shape) {
  int64_t product = 1;
  for (int i = 0; i < shape->rank; i++)
    product *= shape->d[i];
  return product;
}

/* Elements of axes `from` and later. */
static inline int64_t cw_elements_from(const cw_shape *shape, int from) {
  int64_t product = 1;
  for (int i = from; i < shape->rank; i++)
    product *= shape->d[i];
  return product;
}

static inline int64_t cw_parts(int64_t elements) {
  return (elements + CW_PART - 1) / CW_PART;
}

/* Length of part p. */
static inline int64_t cw_part_length(int64_t elements, int64_t p) {
  const int64_t rest = elements - p * CW_PART;
  return rest < CW_PART ? rest : CW_PART;
}

/* The shape of the only input. */
cw_status cw_infer_same(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                        cw_shape *out);
/* CW_ERROR_SHAPE unless shape has this rank. */
cw_status cw_expect_rank(cw_context *context, const cw_shape *shape, int input, int rank);
/* CW_ERROR_SHAPE unless shape is N C D H W, the batch (or none) first: no window reaches from sample to sample. */
cw_status cw_expect_volume(cw_context *context, const cw_shape *shape, int input);
/* CW_ERROR_UNSUPPORTED for a convolution whose kernel, with its dilation, reaches over more samples (of all channels)
 * than INT32_MAX: sizes of scratch memory stay far from the end of size_t. */
cw_status cw_expect_reach(cw_context *context, const cw_attributes *attributes, int64_t channels);
/* CW_ERROR_SHAPE unless inputs a and b have equal shapes. */
cw_status cw_expect_same(cw_context *context, const cw_shape *in, int a, int b);

/* to = from, or to += from; to == from allowed without accumulate. */
void cw_pass(int64_t n, const float *from, bool accumulate, float *to, int threads);
/* Clears, in parallel. */
void cw_clear(int64_t n, float *to, int threads);
/* Sum in double over blocks of 1024 floats. */
double cw_sum(int64_t n, const float *x);

#endif
