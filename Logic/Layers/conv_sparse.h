/* Internal: input gradient of a convolution whose output's gradient is mostly zero, as it is before a max pooling. */
#ifndef COUNTERWARP_LAYERS_CONV_SPARSE_H
#define COUNTERWARP_LAYERS_CONV_SPARSE_H

#include "Layers/conv_engine.h"

/* Shapes for which it can pay: some input channels, steps of one voxel, one group. */
bool cw_conv_sparse_suits(const cw_conv_problem *forward);
/* At most a quarter of dy is not zero. */
bool cw_conv_is_sparse(const cw_conv_problem *forward, const float *dy, int threads);
size_t cw_conv_sparse_workspace(const cw_conv_problem *forward, int threads);
/* dx (+)= the input gradient, from unpacked kernels: each number of dy that is not zero spreads its kernel. */
void cw_conv_sparse_gradient(const cw_conv_problem *forward, const float *w, const float *dy, float *dx,
                             bool accumulate, void *workspace, int threads);

#endif
