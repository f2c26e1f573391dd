/* Internal: operands that repeat along axes, as numpy broadcasts them. */
#ifndef COUNTERWARP_LAYERS_BROADCAST_H
#define COUNTERWARP_LAYERS_BROADCAST_H

#include "Layers/layer.h"

/* The result's axes, neighbours merged where no operand tells them apart. */
typedef struct cw_broadcast {
  int rank, count;
  int64_t d[CW_MAX_RANK];
  int64_t row[CW_MAX_RANK];       /* distance between neighbours in the result */
  int64_t stride[3][CW_MAX_RANK]; /* of each operand; 0: it repeats; 0 or 1 on the last axis */
} cw_broadcast;

/* Shape of the result; CW_ERROR_SHAPE names both operands. */
cw_status cw_broadcast_infer(cw_context *context, const cw_shape *in, int count, cw_shape *out);
/* Shapes have the batch filled in. */
cw_broadcast cw_broadcast_of(const cw_shape *out, const cw_shape *in, int count);
/* True if the operand has as many elements as the result. */
bool cw_broadcast_whole(const cw_broadcast *b, int operand);
/* The operands' offsets at an element of the result. */
void cw_broadcast_at(const cw_broadcast *b, int64_t element, int64_t offset[3]);
/* Elements from `element` on to the end of its row, at most `most`. */
int64_t cw_broadcast_run(const cw_broadcast *b, int64_t element, int64_t most);

/* Calls visit for each run of the result's n elements, in parallel: elements i to i + run - 1, at the operands' offsets
 * at[], which go on by the last axis's strides. */
typedef void (*cw_run_visit)(const cw_call *call, const cw_broadcast *b, const void *user, int64_t i, int64_t run,
                             const int64_t at[3]);
void cw_broadcast_each(const cw_call *call, const cw_broadcast *b, int64_t n, cw_run_visit visit, const void *user);

/* to (+)= g, shaped as the result, summed over the axes along which the operand repeats. */
void cw_broadcast_reduce(const cw_broadcast *b, int operand, const float *g, bool accumulate, float *to, int threads);

#endif
