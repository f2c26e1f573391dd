/* Element-wise operations on two operands, broadcast as in numpy. */
#include <math.h>

#include "Layers/broadcast.h"

/* n elements of a row; an operand's stride is 1 or, where it repeats, 0. */
typedef void (*value_part)(int64_t n, const float *a, int64_t sa, const float *b, int64_t sb, float *y);
/* The same for gy times the derivative; add: to what g holds. */
typedef void (*slope_part)(int64_t n, const float *a, int64_t sa, const float *b, int64_t sb, const float *gy, bool add,
                           float *g);

/* The three ways in which rows meet; a and b are the elements in EXPRESSION. */
#define ROWS(EXPRESSION, STORE) \
  if (sa && sb) { \
    _Pragma("omp simd") for (int64_t i = 0; i < n; i++) { \
      const float a = pa[i], b = pb[i]; \
      (void)a, (void)b; \
      STORE(EXPRESSION); \
    } \
  } else if (sa) { \
    const float b = pb[0]; \
    (void)b; \
    _Pragma("omp simd") for (int64_t i = 0; i < n; i++) { \
      const float a = pa[i]; \
      (void)a; \
      STORE(EXPRESSION); \
    } \
  } else { \
    const float a = pa[0]; \
    (void)a; \
    _Pragma("omp simd") for (int64_t i = 0; i < n; i++) { \
      const float b = pb[sb ? i : 0]; \
      (void)b; \
      STORE(EXPRESSION); \
    } \
  }
#define STORE_VALUE(v) y[i] = (v)
#define STORE_SLOPE(v) g[i] = (add ? g[i] : 0) + gy[i] * (v)

/* Parts of one operation: its value and its derivatives to a and to b. */
#define PARTS(name, VALUE, TO_A, TO_B) \
  CW_CLONES static void name##_value(int64_t n, const float *pa, int64_t sa, const float *pb, int64_t sb, float *y){ \
      ROWS(VALUE, STORE_VALUE)} CW_CLONES static void name##_to_a(int64_t n, const float *pa, int64_t sa, \
                                                                  const float *pb, int64_t sb, const float *gy, \
                                                                  bool add, float *g){ROWS( \
      TO_A, STORE_SLOPE)} CW_CLONES static void name##_to_b(int64_t n, const float *pa, int64_t sa, const float *pb, \
                                                            int64_t sb, const float *gy, bool add, float *g) { \
    ROWS(TO_B, STORE_SLOPE) \
  }

PARTS(add, a + b, 1.0f, 1.0f)
PARTS(sub, a - b, 1.0f, -1.0f)
PARTS(mul, a *b, b, a)
PARTS(div, a / b, 1 / b, -a / (b * b))
PARTS(pow, powf(a, b), b == 0 ? 0 : b * powf(a, b - 1), a > 0 ? powf(a, b) * logf(a) : 0)
/* Equal operands share the gradient. */
PARTS(min, b < a || b != b ? b : a, a < b ? 1.0f : a == b ? 0.5f : 0.0f, b < a ? 1.0f : a == b ? 0.5f : 0.0f)
PARTS(max, b > a || b != b ? b : a, a > b ? 1.0f : a == b ? 0.5f : 0.0f, b > a ? 1.0f : a == b ? 0.5f : 0.0f)
PARTS(prelu, a<0 ? a * b : a, a> 0 ? 1.0f : b, a > 0 ? 0.0f : a)

PARTS(greater, a > b ? 1.0f : 0.0f, 0.0f, 0.0f)
PARTS(less, a < b ? 1.0f : 0.0f, 0.0f, 0.0f)

static cw_status binary_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                              cw_shape *out) {
  (void)attributes;
  return cw_broadcast_infer(context, in, count, out);
}

static cw_status prelu_infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                             cw_shape *out) {
  (void)attributes;
  CW_TRY(cw_broadcast_infer(context, in, count, out));
  return cw_shape_equal(out, &in[0]) ? CW_OK
                                     : cw_fail(context, CW_ERROR_SHAPE, "the slopes have more elements than the input");
}

static void forward_run(const cw_call *call, const cw_broadcast *b, const void *user, int64_t i, int64_t run,
                        const int64_t at[3]) {
  const value_part *part = user;
  const int last = b->rank - 1;
  (*part)(run, call->in[0] + at[0], b->stride[0][last], call->in[1] + at[1], b->stride[1][last], call->out + i);
}

static void forward(const cw_call *call, value_part part) {
  const cw_broadcast b = cw_broadcast_of(&call->out_shape, call->in_shape, 2);
  cw_broadcast_each(call, &b, cw_elements(&call->out_shape), forward_run, &part);
}

typedef struct slope {
  slope_part part;
  bool add;
  float *g;
} slope;

static void backward_run(const cw_call *call, const cw_broadcast *b, const void *user, int64_t i, int64_t run,
                         const int64_t at[3]) {
  const slope *s = user;
  const int last = b->rank - 1;
  /* Sums and differences keep no operands; their parts read none. */
  const float *const pa = call->in[0] ? call->in[0] : call->grad_out;
  const float *const pb = call->in[1] ? call->in[1] : call->grad_out;
  s->part(run, pa + at[0], b->stride[0][last], pb + at[1], b->stride[1][last], call->grad_out + i, s->add, s->g + i);
}

/* Gradient to one operand; where it repeats, by way of the workspace. */
static void backward_to(const cw_call *call, const cw_broadcast *b, int operand, slope_part part) {
  if (!call->grad_in[operand])
    return;
  const bool whole = cw_broadcast_whole(b, operand);
  const slope s = {part, whole && call->accumulate[operand], whole ? call->grad_in[operand] : call->workspace};
  cw_broadcast_each(call, b, cw_elements(&call->out_shape), backward_run, &s);
  if (!whole)
    cw_broadcast_reduce(b, operand, s.g, call->accumulate[operand], call->grad_in[operand], call->threads);
}

static void backward(const cw_call *call, slope_part to_a, slope_part to_b) {
  const cw_broadcast b = cw_broadcast_of(&call->out_shape, call->in_shape, 2);
  backward_to(call, &b, 0, to_a);
  backward_to(call, &b, 1, to_b);
}

static size_t workspace_bytes(const cw_call *call) {
  const int64_t n = cw_elements(&call->out_shape);
  const bool repeats = cw_elements(&call->in_shape[0]) != n || cw_elements(&call->in_shape[1]) != n;
  return call->gradients && repeats ? (size_t)n * sizeof(float) : 0;
}

#define OPERATOR(lower, title, infer_it, kept) \
  static void lower##_forward(const cw_call *call) { \
    forward(call, lower##_value); \
  } \
  static void lower##_backward(const cw_call *call) { \
    backward(call, lower##_to_a, lower##_to_b); \
  } \
  const cw_operator_info cw_layer_##lower = { \
      .name = title, \
      .min_inputs = 2, \
      .max_inputs = 2, \
      .infer = infer_it, \
      .workspace_bytes = workspace_bytes, \
      .forward = lower##_forward, \
      .backward = lower##_backward, \
      .keep_inputs = kept, \
  };

OPERATOR(add, "Add", binary_infer, 0)
OPERATOR(sub, "Sub", binary_infer, 0)
OPERATOR(mul, "Mul", binary_infer, 3)
OPERATOR(div, "Div", binary_infer, 3)
OPERATOR(pow, "Pow", binary_infer, 3)
OPERATOR(min, "Min", binary_infer, 3)
OPERATOR(max, "Max", binary_infer, 3)
OPERATOR(prelu, "PRelu", prelu_infer, 3)
OPERATOR(greater, "Greater", binary_infer, 0)
OPERATOR(less, "Less", binary_infer, 0)

/* ---- where ---- */

static void where_forward_run(const cw_call *call, const cw_broadcast *b, const void *user, int64_t i, int64_t run,
                              const int64_t at[3]) {
  const int last = b->rank - 1;
  (void)user;
  for (int64_t k = 0; k < run; k++) {
    const bool first = call->in[0][at[0] + k * b->stride[0][last]] != 0;
    call->out[i + k] = call->in[1 + !first][at[1 + !first] + k * b->stride[1 + !first][last]];
  }
}

static void where_forward(const cw_call *call) {
  const cw_broadcast b = cw_broadcast_of(&call->out_shape, call->in_shape, 3);
  cw_broadcast_each(call, &b, cw_elements(&call->out_shape), where_forward_run, NULL);
}

/* The gradient where operand *user was chosen, into the workspace. */
static void where_backward_run(const cw_call *call, const cw_broadcast *b, const void *user, int64_t i, int64_t run,
                               const int64_t at[3]) {
  const int operand = *(const int *)user, last = b->rank - 1;
  float *g = call->workspace;
  for (int64_t k = 0; k < run; k++)
    g[i + k] = (call->in[0][at[0] + k * b->stride[0][last]] != 0) == (operand == 1) ? call->grad_out[i + k] : 0;
}

/* The chosen operand takes the gradient; the condition has none. */
static void where_backward(const cw_call *call) {
  const cw_broadcast b = cw_broadcast_of(&call->out_shape, call->in_shape, 3);
  if (call->grad_in[0] && !call->accumulate[0])
    cw_clear(cw_elements(&call->in_shape[0]), call->grad_in[0], call->threads);
  for (int operand = 1; operand < 3; operand++) {
    if (!call->grad_in[operand])
      continue;
    cw_broadcast_each(call, &b, cw_elements(&call->out_shape), where_backward_run, &operand);
    cw_broadcast_reduce(&b, operand, call->workspace, call->accumulate[operand], call->grad_in[operand], call->threads);
  }
}

static size_t where_workspace(const cw_call *call) {
  return call->gradients ? (size_t)cw_elements(&call->out_shape) * sizeof(float) : 0;
}

const cw_operator_info cw_layer_where = {
    .name = "Where",
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = binary_infer,
    .workspace_bytes = where_workspace,
    .forward = where_forward,
    .backward = where_backward,
    .keep_inputs = 1u,
};
