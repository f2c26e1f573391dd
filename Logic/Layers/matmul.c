/* Matrix products over leading axes that broadcast: c[..][m][n] = sum_k a[..][m][k] b[..][k][n]. */
#include "Layers/broadcast.h"
#include "Tensor/sgemm.h"

enum { ROWS = 256, COLUMNS = 512 }; /* of a task's block */

/* Leading axes that broadcast; a matrix for all of them (b of rank 2) takes a's rows as one long matrix. */
typedef struct product {
  cw_broadcast batch;
  int64_t batches, m, k, n;
} product;

static cw_status infer(cw_context *context, const cw_attributes *attributes, const cw_shape *in, int count,
                       cw_shape *out) {
  (void)attributes, (void)count;
  char text_a[96], text_b[96];
  cw_shape_text(&in[0], text_a);
  cw_shape_text(&in[1], text_b);
  const int ra = in[0].rank, rb = in[1].rank;
  if (ra < 2 || rb < 2 || in[0].d[ra - 1] != in[1].d[rb - 2] || in[0].d[ra - 1] == CW_BATCH ||
      in[1].d[rb - 1] == CW_BATCH || (in[0].d[ra - 2] == CW_BATCH && rb > 2))
    return cw_fail(context, CW_ERROR_SHAPE, "inputs of shape %s and %s, expected [.., m, k] and [.., k, n]", text_a,
                   text_b);
  cw_shape lead[2] = {in[0], in[1]};
  lead[0].rank -= 2;
  lead[1].rank -= 2;
  CW_TRY(cw_broadcast_infer(context, lead, 2, out));
  if (out->rank + 2 > CW_MAX_RANK || cw_shape_elements(&in[0], 1) > INT32_MAX ||
      cw_shape_elements(&in[1], 1) > INT32_MAX)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "inputs of shape %s and %s are too large", text_a, text_b);
  out->d[out->rank++] = in[0].d[ra - 2];
  out->d[out->rank++] = in[1].d[rb - 1];
  return CW_OK;
}

static product product_of(const cw_call *call) {
  cw_shape lead[3] = {call->in_shape[0], call->in_shape[1], call->out_shape};
  for (int i = 0; i < 3; i++)
    lead[i].rank -= 2;
  product p = {{0}, 1, 0, call->in_shape[0].d[call->in_shape[0].rank - 1], call->out_shape.d[call->out_shape.rank - 1]};
  p.m = call->out_shape.d[call->out_shape.rank - 2];
  if (!lead[1].rank) {
    p.m *= cw_elements(&lead[2]);
    lead[0].rank = lead[2].rank = 0;
  }
  p.batch = cw_broadcast_of(&lead[2], lead, 2);
  p.batches = cw_elements(&lead[2]);
  return p;
}

static int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static void forward(const cw_call *call) {
  const product p = product_of(call);
  const int64_t down = divide_up(p.m, ROWS), across = divide_up(p.n, COLUMNS), tasks = p.batches * down * across;
  CW_PARALLEL(tasks, call->threads)
  for (int64_t t = 0; t < tasks; t++) {
    const int64_t batch = t / (down * across), r = t / across % down * ROWS, c = t % across * COLUMNS;
    int64_t at[3];
    cw_broadcast_at(&p.batch, batch, at);
    cw_sgemm(false, false, (int)least(ROWS, p.m - r), (int)least(COLUMNS, p.n - c), (int)p.k, 1,
             call->in[0] + at[0] * p.m * p.k + r * p.k, (int)p.k, call->in[1] + at[1] * p.k * p.n + c, (int)p.n, 0,
             call->out + (batch * p.m + r) * p.n + c, (int)p.n);
  }
}

/* Gradient to operand 0 (gc b^T) or 1 (a^T gc): the products of all leading indices that share a matrix are summed in
 * order, by the task that owns the block. */
static void backward_to(const cw_call *call, const product *p, int operand) {
  float *g = call->grad_in[operand];
  if (!g)
    return;
  const int64_t height = operand ? p->k : p->m, width = operand ? p->n : p->k;
  const int64_t down = divide_up(height, ROWS), across = divide_up(width, COLUMNS);
  const int64_t matrices = cw_elements(&call->in_shape[operand]) / (height * width), tasks = matrices * down * across;
  CW_PARALLEL(tasks, call->threads)
  for (int64_t t = 0; t < tasks; t++) {
    const int64_t matrix = t / (down * across), r = t / across % down * ROWS, c = t % across * COLUMNS;
    const int rows = (int)least(ROWS, height - r), columns = (int)least(COLUMNS, width - c);
    float *to = g + (matrix * height + r) * width + c;
    bool add = call->accumulate[operand];
    for (int64_t batch = 0; batch < p->batches; batch++) {
      int64_t at[3];
      cw_broadcast_at(&p->batch, batch, at);
      if (at[operand] != matrix)
        continue;
      const float *gy = call->grad_out + batch * p->m * p->n;
      if (operand)
        cw_sgemm(true, false, rows, columns, (int)p->m, 1, call->in[0] + at[0] * p->m * p->k + r, (int)p->k, gy + c,
                 (int)p->n, add, to, (int)width);
      else
        cw_sgemm(false, true, rows, columns, (int)p->n, 1, gy + r * p->n, (int)p->n,
                 call->in[1] + at[1] * p->k * p->n + c * p->n, (int)p->n, add, to, (int)width);
      add = true;
    }
  }
}

static void backward(const cw_call *call) {
  const product p = product_of(call);
  backward_to(call, &p, 0);
  backward_to(call, &p, 1);
}

const cw_operator_info cw_layer_matmul = {
    .name = "MatMul",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .keep_inputs = 3u,
};
