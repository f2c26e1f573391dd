/* CondConv (Yang et al. 2019, arXiv 1904.04971), same padding, stride 1: for each sample
 *   f = dropout([global average pool of x, o])  (or o alone)
 *   r = sigmoid(A f + a)
 *   y = x * (sum_e r_e W_e) + b
 * Inputs: x [N,ci,D,H,W], o [N,1], W [E,co,ci,k,k,k], b [co], A [E,ci + 1 or 1], a [E]. */
#include <math.h>
#include <string.h>

#include "counterwarp/random.h"
#include "Layers/conv_engine.h"
#include "Layers/layer.h"

enum { X, DIRECTION, WEIGHT, BIAS, ROUTE, ROUTE_BIAS };

static cw_status infer(cw_context *context, const cw_attributes *a, const cw_shape *in, int count, cw_shape *out) {
  const cw_shape *x = &in[X], *w = &in[WEIGHT];
  (void)count;
  if (x->rank != 5 || w->rank != 6 || w->d[2] != x->d[1])
    return cw_fail(context, CW_ERROR_SHAPE, "expected x [N,ci,D,H,W] and W [E,co,ci,k,k,k] with the same ci");
  CW_TRY(cw_expect_volume(context, x, X));
  const int64_t experts = w->d[0], co = w->d[1], ci = w->d[2];
  if (in[DIRECTION].rank != 2 || in[DIRECTION].d[0] != x->d[0] || in[DIRECTION].d[1] != 1)
    return cw_fail(context, CW_ERROR_SHAPE, "expected a direction of shape N x 1, N as that of x");
  if (in[BIAS].rank != 1 || in[BIAS].d[0] != co || in[ROUTE_BIAS].rank != 1 || in[ROUTE_BIAS].d[0] != experts)
    return cw_fail(context, CW_ERROR_SHAPE, "expected a bias of %lld and a routing bias of %lld values", (long long)co,
                   (long long)experts);
  if (in[ROUTE].rank != 2 || in[ROUTE].d[0] != experts || (in[ROUTE].d[1] != ci + 1 && in[ROUTE].d[1] != 1))
    return cw_fail(context, CW_ERROR_SHAPE, "expected routing weights of %lld x %lld (or x 1)", (long long)experts,
                   (long long)ci + 1);
  for (int i = 0; i < 3; i++)
    if (a->kernel[i] != w->d[3 + i] || a->kernel[i] % 2 == 0 || a->stride[i] != 1 || a->dilation[i] != 1 ||
        a->pads[i] != a->kernel[i] / 2 || a->pads[3 + i] != a->kernel[i] / 2 || a->groups != 1)
      return cw_fail(context, CW_ERROR_SHAPE, "expected an odd kernel as in W, stride 1 and pads of half the kernel");
  *out = *x;
  out->d[1] = co;
  return CW_OK;
}

/* ---- memory ---- */

typedef struct sizes {
  cw_conv_problem problem;
  int experts, features;
  size_t kernel; /* floats of one expert's kernel */
} sizes;

static sizes sizes_of(const cw_call *call) {
  sizes s;
  s.problem = cw_conv_forward_problem(&call->in_shape[X], &call->out_shape, call->attributes);
  s.experts = (int)call->in_shape[WEIGHT].d[0];
  s.features = (int)call->in_shape[ROUTE].d[1];
  s.kernel = cw_conv_packed_floats(&s.problem);
  return s;
}

/* saved: features after dropout [N][F], their dropout factors [N][F], routing weights [N][E] */
static size_t saved_bytes(const cw_call *call) {
  const sizes s = sizes_of(call);
  return (size_t)s.problem.batch * (2 * s.features + s.experts) * sizeof(float);
}

static size_t round_up(size_t floats) {
  return (floats + 15) / 16 * 16;
}

/* workspace: mixed kernels [N] (or kernel gradients [N]), per-sample vectors, engine's scratch */
static size_t front_floats(const sizes *s) {
  return round_up((size_t)s->problem.batch * s->kernel) +
         round_up((size_t)s->problem.batch * (s->experts + s->features + s->problem.in_channels));
}

static size_t workspace_bytes(const cw_call *call) {
  const sizes s = sizes_of(call);
  const cw_conv_problem g = cw_conv_gradient_problem(&s.problem);
  size_t engine = cw_conv_run_workspace(&s.problem, call->threads);
  if (call->gradients) {
    const size_t input = cw_conv_run_workspace(&g, call->threads);
    const size_t weight = cw_conv_weight_workspace(&s.problem, call->threads);
    engine = engine > input ? engine : input;
    engine = engine > weight ? engine : weight;
  }
  return front_floats(&s) * sizeof(float) + engine;
}

/* ---- routing ---- */

static void route(const cw_call *call, const sizes *s) {
  const int batch = s->problem.batch, ci = s->problem.in_channels, features = s->features;
  const size_t volume = (size_t)s->problem.in[0] * s->problem.in[1] * s->problem.in[2];
  float *feature = call->saved, *factor = feature + (size_t)batch * features;
  float *r = factor + (size_t)batch * features;
  if (features > 1) {
#pragma omp parallel for num_threads(call->threads) schedule(static)
    for (int i = 0; i < batch * ci; i++)
      feature[i / ci * features + i % ci] =
          (float)(cw_conv_sum(call->in[X] + (size_t)i * volume, volume) / (double)volume);
  }
  const float ratio = call->training ? call->attributes->ratio : 0;
  for (int n = 0; n < batch; n++) {
    float *f = feature + (size_t)n * features;
    f[features - 1] = call->in[DIRECTION][n];
    for (int i = 0; i < features; i++) {
      const size_t at = (size_t)n * features + i;
      const bool dropped = ratio > 0 && cw_random_at(call->seed + call->step, call->stream, at) < ratio;
      factor[at] = dropped ? 0 : ratio < 1 ? 1 / (1 - ratio) : 0;
      f[i] *= factor[at];
    }
    for (int e = 0; e < s->experts; e++) {
      double sum = call->in[ROUTE_BIAS][e];
      for (int i = 0; i < features; i++)
        sum += (double)call->in[ROUTE][(size_t)e * features + i] * f[i];
      r[(size_t)n * s->experts + e] = (float)(1 / (1 + exp(-sum)));
    }
  }
}

/* mixed[n] = sum_e r[n][e] W[e], packed */
static void mix(const cw_call *call, const sizes *s, const cw_conv_problem *problem, float *mixed) {
  const float *r = (const float *)call->saved + 2 * (size_t)s->problem.batch * s->features;
  const int blocks = cw_conv_pack_blocks(problem);
#pragma omp parallel for num_threads(call->threads) schedule(static)
  for (int i = 0; i < s->problem.batch * blocks; i++) {
    const int n = i / blocks;
    const cw_conv_mix shares = {s->experts, s->kernel, r + (size_t)n * s->experts};
    cw_conv_pack(problem, call->in[WEIGHT], &shares, i % blocks, mixed + n * s->kernel);
  }
}

static void forward(const cw_call *call) {
  const sizes s = sizes_of(call);
  float *mixed = call->workspace;
  route(call, &s);
  mix(call, &s, &s.problem, mixed);
  cw_conv_run(&s.problem, call->in[X], mixed, s.kernel, call->in[BIAS], 0, call->out, false,
              (float *)call->workspace + front_floats(&s), call->threads, call->report);
}

/* ---- backward ---- */

/* From the kernels' gradients of each sample, each[n]: dW_e = sum_n r_ne each[n] and dr_ne = <W_e, each[n]>. */
static void expert_gradient(const cw_call *call, const sizes *s, const float *each, float *dr) {
  const int batch = s->problem.batch;
  const float *r = (const float *)call->saved + 2 * (size_t)batch * s->features;
  float *dw = call->grad_in[WEIGHT];
#pragma omp parallel num_threads(call->threads)
  {
#pragma omp for schedule(static)
    for (int i = 0; i < batch * s->experts; i++) {
      const float *w = call->in[WEIGHT] + (size_t)(i % s->experts) * s->kernel,
                  *g = each + (size_t)(i / s->experts) * s->kernel;
      double sum = 0;
      for (size_t k = 0; k < s->kernel; k++)
        sum += (double)w[k] * g[k];
      dr[i] = (float)sum;
    }
    if (dw) {
#pragma omp for schedule(static)
      for (int e = 0; e < s->experts; e++) {
        float *out = dw + (size_t)e * s->kernel;
        if (!call->accumulate[WEIGHT])
          memset(out, 0, s->kernel * sizeof *out);
        for (int n = 0; n < batch; n++) {
          const float share = r[(size_t)n * s->experts + e], *g = each + (size_t)n * s->kernel;
          for (size_t k = 0; k < s->kernel; k++)
            out[k] += share * g[k];
        }
      }
    }
  }
}

/* Through the sigmoid and the routing layer; dfeature[n][F] receives the gradient of the features before dropout. */
static void route_gradient(const cw_call *call, const sizes *s, float *dr, float *dfeature) {
  const int batch = s->problem.batch, features = s->features, experts = s->experts;
  const float *feature = call->saved, *factor = feature + (size_t)batch * features;
  const float *r = factor + (size_t)batch * features;
  for (int i = 0; i < batch * experts; i++)
    dr[i] *= r[i] * (1 - r[i]);
  for (int e = 0; e < experts; e++) {
    for (int i = 0; i < features && call->grad_in[ROUTE]; i++) {
      float *g = &call->grad_in[ROUTE][(size_t)e * features + i];
      double sum = call->accumulate[ROUTE] ? *g : 0;
      for (int n = 0; n < batch; n++)
        sum += (double)dr[n * experts + e] * feature[(size_t)n * features + i];
      *g = (float)sum;
    }
    if (call->grad_in[ROUTE_BIAS]) {
      double sum = call->accumulate[ROUTE_BIAS] ? call->grad_in[ROUTE_BIAS][e] : 0;
      for (int n = 0; n < batch; n++)
        sum += dr[n * experts + e];
      call->grad_in[ROUTE_BIAS][e] = (float)sum;
    }
  }
  for (int n = 0; n < batch; n++)
    for (int i = 0; i < features; i++) {
      double sum = 0;
      for (int e = 0; e < experts; e++)
        sum += (double)dr[n * experts + e] * call->in[ROUTE][(size_t)e * features + i];
      dfeature[(size_t)n * features + i] = (float)sum * factor[(size_t)n * features + i];
    }
  for (int n = 0; n < batch && call->grad_in[DIRECTION]; n++) {
    float *g = &call->grad_in[DIRECTION][n];
    *g = (call->accumulate[DIRECTION] ? *g : 0) + dfeature[(size_t)n * features + features - 1];
  }
}

/* dx = dy * flipped mixed kernels + the pooled features' share, which is constant over a channel. */
static void input_gradient(const cw_call *call, const sizes *s, const float *dfeature, float *constant) {
  const cw_conv_problem g = cw_conv_gradient_problem(&s->problem);
  const int batch = s->problem.batch, ci = s->problem.in_channels;
  const float volume = (float)s->problem.in[0] * s->problem.in[1] * s->problem.in[2];
  float *mixed = call->workspace;
  for (int i = 0; i < batch * ci; i++)
    constant[i] = s->features > 1 ? dfeature[i / ci * s->features + i % ci] / volume : 0;
  mix(call, s, &g, mixed);
  cw_conv_run(&g, call->grad_out, mixed, s->kernel, constant, (size_t)ci, call->grad_in[X], call->accumulate[X],
              (float *)call->workspace + front_floats(s), call->threads, call->report);
}

static void backward(const cw_call *call) {
  const sizes s = sizes_of(call);
  const int batch = s.problem.batch;
  float *each = call->workspace;
  float *dr = each + round_up((size_t)batch * s.kernel), *dfeature = dr + (size_t)batch * s.experts;
  float *constant = dfeature + (size_t)batch * s.features;
  cw_conv_weight_gradient(&s.problem, call->in[X], call->grad_out, each, (float *)call->workspace + front_floats(&s),
                          call->threads);
  expert_gradient(call, &s, each, dr);
  route_gradient(call, &s, dr, dfeature);
  if (call->grad_in[BIAS])
    cw_conv_bias_gradient(&call->out_shape, call->grad_out, call->grad_in[BIAS], call->accumulate[BIAS], call->threads);
  if (call->grad_in[X])
    input_gradient(call, &s, dfeature, constant);
}

const cw_operator_info cw_layer_cond_conv = {
    .name = "CondConv",
    .min_inputs = 6,
    .max_inputs = 6,
    .infer = infer,
    .saved_bytes = saved_bytes,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .backward = backward,
    .keep_inputs = 1u << X | 1u << WEIGHT | 1u << ROUTE,
};
