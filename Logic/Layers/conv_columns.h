/* Internal: convolutions as matrix products, where that beats the engine. */
#ifndef COUNTERWARP_LAYERS_CONV_COLUMNS_H
#define COUNTERWARP_LAYERS_CONV_COLUMNS_H

#include "Layers/conv_engine.h"

/* True where cw_conv_run goes this way: kernels of one tap, and rows shorter than half a vector;
 * one group. */
bool cw_conv_columns_suit(const cw_conv_problem *problem);
/* How the kernels stand there: false: [co][ci][k], true: [ci][co] (one tap), as the gradient's are stored. */
bool cw_conv_columns_across(const cw_conv_problem *problem);
size_t cw_conv_columns_workspace(const cw_conv_problem *problem);
/* As cw_conv_run. */
void cw_conv_columns_run(const cw_conv_problem *problem, const float *x, const float *packed, size_t packed_stride,
                         const float *bias, size_t bias_stride, float *y, bool accumulate, void *workspace,
                         int threads);

/* dx (+)= the input gradient of a convolution with strides, from unpacked kernels: no zeros are multiplied, as they are
 * where the engine runs the gradient problem. */
bool cw_conv_strided(const cw_conv_problem *forward);
size_t cw_conv_strided_workspace(const cw_conv_problem *forward, int threads);
void cw_conv_strided_gradient(const cw_conv_problem *forward, const float *w, const float *dy, float *dx,
                              bool accumulate, void *workspace, int threads);

#endif
