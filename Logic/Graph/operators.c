#include "Graph/operator.h"

static const cw_operator_info *const cpu_table[CW_OP_COUNT] = {
    [CW_OP_CONV] = &cw_layer_conv,
    [CW_OP_COND_CONV] = &cw_layer_cond_conv,
    [CW_OP_BATCH_NORM] = &cw_layer_batch_norm,
    [CW_OP_RELU] = &cw_layer_relu,
    [CW_OP_LEAKY_RELU] = &cw_layer_leaky_relu,
    [CW_OP_SIGMOID] = &cw_layer_sigmoid,
    [CW_OP_SOFTMAX] = &cw_layer_softmax,
    [CW_OP_LOG_SOFTMAX] = &cw_layer_log_softmax,
    [CW_OP_MAX_POOL] = &cw_layer_max_pool,
    [CW_OP_AVERAGE_POOL] = &cw_layer_average_pool,
    [CW_OP_GLOBAL_AVERAGE_POOL] = &cw_layer_global_average_pool,
    [CW_OP_RESIZE_NEAREST] = &cw_layer_resize_nearest,
    [CW_OP_RESIZE_LINEAR] = &cw_layer_resize_linear,
    [CW_OP_RESIZE] = &cw_layer_resize,
    [CW_OP_GEMM] = &cw_layer_gemm,
    [CW_OP_DROPOUT] = &cw_layer_dropout,
    [CW_OP_ADD] = &cw_layer_add,
    [CW_OP_SUB] = &cw_layer_sub,
    [CW_OP_MUL] = &cw_layer_mul,
    [CW_OP_DIV] = &cw_layer_div,
    [CW_OP_POW] = &cw_layer_pow,
    [CW_OP_MIN] = &cw_layer_min,
    [CW_OP_MAX] = &cw_layer_max,
    [CW_OP_PRELU] = &cw_layer_prelu,
    [CW_OP_GREATER] = &cw_layer_greater,
    [CW_OP_LESS] = &cw_layer_less,
    [CW_OP_WHERE] = &cw_layer_where,
    [CW_OP_ABS] = &cw_layer_abs,
    [CW_OP_NEG] = &cw_layer_neg,
    [CW_OP_RECIPROCAL] = &cw_layer_reciprocal,
    [CW_OP_SQRT] = &cw_layer_sqrt,
    [CW_OP_EXP] = &cw_layer_exp,
    [CW_OP_LOG] = &cw_layer_log,
    [CW_OP_TANH] = &cw_layer_tanh,
    [CW_OP_ERF] = &cw_layer_erf,
    [CW_OP_SOFTPLUS] = &cw_layer_softplus,
    [CW_OP_SOFTSIGN] = &cw_layer_softsign,
    [CW_OP_ELU] = &cw_layer_elu,
    [CW_OP_SELU] = &cw_layer_selu,
    [CW_OP_HARD_SIGMOID] = &cw_layer_hard_sigmoid,
    [CW_OP_HARD_SWISH] = &cw_layer_hard_swish,
    [CW_OP_CLIP] = &cw_layer_clip,
    [CW_OP_REDUCE_MEAN] = &cw_layer_reduce_mean,
    [CW_OP_REDUCE_SUM] = &cw_layer_reduce_sum,
    [CW_OP_REDUCE_MAX] = &cw_layer_reduce_max,
    [CW_OP_MATMUL] = &cw_layer_matmul,
    [CW_OP_LAYER_NORM] = &cw_layer_layer_norm,
    [CW_OP_INSTANCE_NORM] = &cw_layer_instance_norm,
    [CW_OP_CONV_TRANSPOSE] = &cw_layer_conv_transpose,
    [CW_OP_CONCAT] = &cw_layer_concat,
    [CW_OP_RESHAPE] = &cw_layer_reshape,
    [CW_OP_TRANSPOSE] = &cw_layer_transpose,
    [CW_OP_SLICE] = &cw_layer_slice,
    [CW_OP_PAD] = &cw_layer_pad,
    [CW_OP_GATHER] = &cw_layer_gather,
    [CW_OP_EXPAND] = &cw_layer_expand,
    [CW_OP_WARP] = &cw_layer_warp,
    [CW_OP_EXPONENTIAL] = &cw_layer_exponential,
    [CW_OP_TAPER] = &cw_layer_taper,
    [CW_OP_LOSS_BCE] = &cw_layer_loss_bce,
    [CW_OP_LOSS_SHIFT] = &cw_layer_loss_shift,
    [CW_OP_LOSS_MSE] = &cw_layer_loss_mse,
    [CW_OP_LOSS_SMOOTH] = &cw_layer_loss_smooth,
    [CW_OP_LOSS_MAGNITUDE] = &cw_layer_loss_magnitude,
};

const cw_operator_info *cw_operator_table(cw_operator op) {
  return (unsigned)op < CW_OP_COUNT ? cpu_table[op] : 0;
}

const char *cw_operator_name(cw_operator op) {
  return (unsigned)op < CW_OP_COUNT ? cpu_table[op]->name : "unknown operator";
}

cw_attributes cw_attributes_default(void) {
  cw_attributes a = {0};
  for (int i = 0; i < 3; i++)
    a.kernel[i] = a.stride[i] = a.dilation[i] = a.scale[i] = 1;
  for (int i = 0; i < CW_MAX_RANK; i++)
    a.step[i] = 1;
  a.axis = 1;
  a.groups = 1;
  a.alpha = 0.01f;
  a.epsilon = 1e-5f;
  a.momentum = 0.1f;
  a.squarings = 6;
  a.norm = 1;
  return a;
}
