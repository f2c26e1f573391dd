// Every layer of the graph in double precision, from plain loops: what the fast kernels are held against.
#pragma once

#include <stdexcept>

#include "Reference/convolution.h"
#include "Reference/general.h"
#include "Reference/losses.h"
#include "Reference/normalization.h"
#include "Reference/pointwise.h"
#include "Reference/pooling.h"

namespace reference {

// The output of one node.  in: one tensor an input, empty where an optional one is left out.  training: batch norm
// takes the batch's statistics.  Dropout stands for its inference.
inline Tensor run(cw_operator op, const cw_attributes &a, const std::vector<Tensor> &in, bool training) {
  const auto input = [&](std::size_t i) { return i < in.size() ? in[i] : Tensor(); };
  switch (op) {
    case CW_OP_CONV:
      return conv(in[0], in[1], input(2), a);
    case CW_OP_COND_CONV:
      return cond_conv(in[0], in[1], in[2], in[3], in[4], in[5], a);
    case CW_OP_BATCH_NORM:
      return batch_norm(in[0], in[1], in[2], in[3], in[4], a, training && !a.frozen);
    case CW_OP_RELU:
      return relu(in[0]);
    case CW_OP_LEAKY_RELU:
      return leaky_relu(in[0], a.alpha);
    case CW_OP_SIGMOID:
      return sigmoid(in[0]);
    case CW_OP_SOFTMAX:
      return softmax(in[0], a.axis);
    case CW_OP_LOG_SOFTMAX:
      return log_softmax(in[0], a.axis);
    case CW_OP_MAX_POOL:
      return max_pool(in[0], a);
    case CW_OP_AVERAGE_POOL:
      return average_pool(in[0], a);
    case CW_OP_GLOBAL_AVERAGE_POOL:
      return global_average_pool(in[0]);
    case CW_OP_RESIZE_NEAREST:
      return resize_nearest(in[0], a);
    case CW_OP_RESIZE_LINEAR:
      return resize_linear(in[0], a);
    case CW_OP_GEMM:
      return gemm(in[0], in[1], input(2));
    case CW_OP_DROPOUT:
      return in[0];
    case CW_OP_ADD:
    case CW_OP_SUB:
    case CW_OP_MUL:
    case CW_OP_DIV:
    case CW_OP_POW:
    case CW_OP_MIN:
    case CW_OP_MAX:
    case CW_OP_PRELU:
    case CW_OP_GREATER:
    case CW_OP_LESS:
    case CW_OP_WHERE:
      return binary(op, in);
    case CW_OP_ABS:
    case CW_OP_NEG:
    case CW_OP_RECIPROCAL:
    case CW_OP_SQRT:
    case CW_OP_EXP:
    case CW_OP_LOG:
    case CW_OP_TANH:
    case CW_OP_ERF:
    case CW_OP_SOFTPLUS:
    case CW_OP_SOFTSIGN:
    case CW_OP_ELU:
    case CW_OP_SELU:
    case CW_OP_HARD_SIGMOID:
    case CW_OP_HARD_SWISH:
    case CW_OP_CLIP:
      return map(in[0], [&](double x) { return unary(op, x, a.alpha, a.beta); });
    case CW_OP_REDUCE_MEAN:
    case CW_OP_REDUCE_SUM:
    case CW_OP_REDUCE_MAX:
      return reduce(op, in[0], a);
    case CW_OP_MATMUL:
      return matmul(in[0], in[1]);
    case CW_OP_LAYER_NORM:
      return standardize(in[0], in[1], input(2), a.axis, false, a.epsilon);
    case CW_OP_INSTANCE_NORM:
      return standardize(in[0], in[1], in[2], 2, true, a.epsilon);
    case CW_OP_CONV_TRANSPOSE:
      return conv_transpose(in[0], in[1], input(2), a);
    case CW_OP_RESIZE:
      return resize(in[0], a);
    case CW_OP_TRANSPOSE:
      return transpose(in[0], a);
    case CW_OP_SLICE:
      return slice(in[0], a);
    case CW_OP_PAD:
      return pad(in[0], a);
    case CW_OP_GATHER:
      return gather(in[0], in[1], a.axis);
    case CW_OP_EXPAND:
      return expand(in[0], a, in[0].shape[0]);
    case CW_OP_CONCAT:
      return concat_on(in, a.axis);
    case CW_OP_RESHAPE: {
      Shape shape(a.shape.d, a.shape.d + a.shape.rank);
      shape[0] = shape[0] == CW_BATCH ? in[0].shape[0] : shape[0];
      return reshape(in[0], shape);
    }
    case CW_OP_LOSS_BCE:
      return bce(in[0], in[1]);
    case CW_OP_LOSS_SHIFT:
      return shift(in[0], in[1], in[2], a.shift_margin, a.shift_margin);
    case CW_OP_LOSS_MSE:
      return mse(in[0], in[1]);
    case CW_OP_LOSS_SMOOTH:
      return a.norm == 0 ? strain(in[0], a.epsilon) : smooth(in[0], a.norm);
    case CW_OP_LOSS_MAGNITUDE:
      return magnitude(in[0]);
    default:
      throw std::logic_error("no reference for this operator");
  }
}

}  // namespace reference
