/* Internal: rows of vectors in any order of samples. */
#ifndef COUNTERWARP_WARP_VECTOR_ROW_H
#define COUNTERWARP_WARP_VECTOR_ROW_H

#include "counterwarp/view.h"

/* First sample of row (j, k) of a view. */
static inline float *cw_view_row(const cw_view *view, int j, int k) {
  return view->data + j * view->step[1] + k * view->step[2];
}

/* to[component][i] = sum over c of m[component][c] times component c of sample i, for a row of n vectors.  from_step
 * and to_step: from one sample to the next; from_component and to_component: from one component to the next. */
void cw_vector_row(const float m[3][3], int n, const float *from, ptrdiff_t from_step, ptrdiff_t from_component,
                   float *to, ptrdiff_t to_step, ptrdiff_t to_component);
/* to[i * to_step] = from[i * from_step] */
void cw_copy_row(int n, const float *from, ptrdiff_t from_step, float *to, ptrdiff_t to_step);

#endif
