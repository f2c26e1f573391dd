/* Internal: what a layer gives to the graph.  One table of these per device, so that another device's kernels can be
 * added without touching the graph. */
#ifndef COUNTERWARP_GRAPH_OPERATOR_H
#define COUNTERWARP_GRAPH_OPERATOR_H

#include "counterwarp/graph.h"
#include "Tensor/crew.h"

#define CW_MAX_INPUTS 8

/* One execution of a node.  Shapes have the batch filled in. */
typedef struct cw_call {
  const cw_attributes *attributes;
  int input_count;
  cw_shape in_shape[CW_MAX_INPUTS];
  cw_shape out_shape;
  const float *in[CW_MAX_INPUTS]; /* NULL: optional input left out, or not kept for the backward pass */
  float *writable[CW_MAX_INPUTS]; /* batch norm's running statistics in training; else NULL */
  float *out;                     /* backward: NULL unless keep_output */
  const float *grad_out;
  float *grad_in[CW_MAX_INPUTS];  /* NULL: not wanted */
  bool accumulate[CW_MAX_INPUTS]; /* add to grad_in instead of overwriting it */
  void *saved;                    /* saved_bytes, kept from forward to backward */
  void *workspace;                /* workspace_bytes, not kept */
  int threads;
  bool training;               /* CW_TRAINING and not frozen */
  bool gradients;              /* a backward pass will follow: fill `saved` */
  uint64_t seed, step, stream; /* random numbers: cw_random_at(seed + step, stream, index) */
  float shift_margin[2];       /* LOSS_SHIFT: inject, remove */
  cw_report *report;           /* for what takes more than a tenth of a second; NULL: nobody listens */
} cw_call;

typedef struct cw_operator_info {
  const char *name;
  int min_inputs, max_inputs;
  /* Output shape from input shapes (CW_BATCH still in place).  Failures say what was expected; the graph adds the
   * node's name in front. */
  cw_status (*infer)(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                     cw_shape *out);
  size_t (*saved_bytes)(const cw_call *call);     /* NULL: none */
  size_t (*workspace_bytes)(const cw_call *call); /* NULL: none; larger of forward and backward */
  void (*forward)(const cw_call *call);
  void (*backward)(const cw_call *call);
  unsigned keep_inputs; /* bit i: backward reads in[i], also where another node computes it */
  bool keep_output;     /* backward reads out */
} cw_operator_info;

/* One table for each file of Layers. */
extern const cw_operator_info cw_layer_conv, cw_layer_cond_conv, cw_layer_batch_norm, cw_layer_relu,
    cw_layer_leaky_relu, cw_layer_sigmoid, cw_layer_softmax, cw_layer_log_softmax, cw_layer_max_pool,
    cw_layer_average_pool, cw_layer_global_average_pool, cw_layer_resize_nearest, cw_layer_resize_linear, cw_layer_gemm,
    cw_layer_dropout, cw_layer_resize, cw_layer_add, cw_layer_sub, cw_layer_mul, cw_layer_div, cw_layer_pow,
    cw_layer_min, cw_layer_max, cw_layer_prelu, cw_layer_greater, cw_layer_less, cw_layer_where, cw_layer_abs,
    cw_layer_neg, cw_layer_reciprocal, cw_layer_sqrt, cw_layer_exp, cw_layer_log, cw_layer_tanh, cw_layer_erf,
    cw_layer_softplus, cw_layer_softsign, cw_layer_elu, cw_layer_selu, cw_layer_hard_sigmoid, cw_layer_hard_swish,
    cw_layer_clip, cw_layer_reduce_mean, cw_layer_reduce_sum, cw_layer_reduce_max, cw_layer_matmul, cw_layer_layer_norm,
    cw_layer_instance_norm, cw_layer_conv_transpose, cw_layer_concat, cw_layer_reshape, cw_layer_transpose,
    cw_layer_slice, cw_layer_pad, cw_layer_gather, cw_layer_expand, cw_layer_warp, cw_layer_exponential, cw_layer_taper,
    cw_layer_loss_bce, cw_layer_loss_shift, cw_layer_loss_mse, cw_layer_loss_smooth, cw_layer_loss_magnitude;

/* The CPU's table. */
const cw_operator_info *cw_operator_table(cw_operator op);

#endif
