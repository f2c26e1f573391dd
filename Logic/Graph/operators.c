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
    [CW_OP_GEMM] = &cw_layer_gemm,
    [CW_OP_DROPOUT] = &cw_layer_dropout,
    [CW_OP_ADD] = &cw_layer_add,
    [CW_OP_CONCAT] = &cw_layer_concat,
    [CW_OP_RESHAPE] = &cw_layer_reshape,
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
  a.groups = 1;
  a.alpha = 0.01f;
  a.epsilon = 1e-5f;
  a.momentum = 0.1f;
  a.squarings = 6;
  a.norm = 1;
  return a;
}
