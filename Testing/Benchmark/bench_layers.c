/* Every layer of the reference networks at 64^3, forward (training mode) and backward, as a graph of one layer:
 * ms a sample at batch 8; GFLOP/s where products count, GB/s where memory does (each input read once, each output
 * written once). */
#include <math.h>
#include <string.h>

#include "measure.h"

enum { BATCH = 8 };

typedef enum kind { CONV, COND_CONV, FULLY, NORM_POOL, RELU_NORM_POOL, NORM_UP, WARP, EXPONENTIAL, SMOOTH } kind;

typedef struct layer {
  kind kind;
  int in, out, size; /* size: voxels a side of the input */
} layer;

static const layer layers[] = {
    {CONV, 1, 16, 64},
    {CONV, 16, 32, 32},
    {CONV, 32, 64, 16},
    {CONV, 64, 16, 8},
    {RELU_NORM_POOL, 16, 16, 64},
    {FULLY, 1024, 512, 1},
    {FULLY, 512, 64, 1},
    {FULLY, 64, 1, 1},
    {COND_CONV, 1, 16, 64},
    {COND_CONV, 16, 32, 32},
    {COND_CONV, 32, 64, 16},
    {COND_CONV, 64, 16, 8},
    {COND_CONV, 16, 16, 4},
    {COND_CONV, 16, 64, 8},
    {COND_CONV, 64, 32, 16},
    {COND_CONV, 32, 16, 32},
    {COND_CONV, 16, 3, 64},
    {NORM_POOL, 16, 16, 64},
    {NORM_POOL, 32, 32, 32},
    {NORM_POOL, 64, 64, 16},
    {NORM_POOL, 16, 16, 8},
    {NORM_UP, 16, 16, 4},
    {NORM_UP, 64, 64, 8},
    {NORM_UP, 32, 32, 16},
    {NORM_UP, 16, 16, 32},
    {FULLY, 513, 1024, 1},
    {WARP, 1, 1, 64},
    {EXPONENTIAL, 3, 3, 64},
    {SMOOTH, 3, 1, 64},
};

/* A graph under construction. */
typedef struct work {
  cw_context *context;
  cw_graph *graph;
  cw_plan *plan;
  cw_value wanted[3];
  int wanted_count;
} work;

static cw_value input(work *w, const char *name, cw_shape shape) {
  cw_value v;
  need(w->context, cw_graph_input(w->context, w->graph, name, shape, &v));
  w->wanted[w->wanted_count++] = v;
  return v;
}

static cw_value weights(work *w, const char *name, bool trained, cw_shape shape, float low, float high) {
  cw_value v;
  need(w->context, cw_graph_parameter(w->context, w->graph, name, shape, trained, NULL, &v));
  fill(cw_value_data(w->graph, v), (size_t)cw_shape_elements(&shape, 1), (uint64_t)v, low, high);
  return v;
}

static cw_value node(work *w, cw_operator op, const char *name, const cw_attributes *a, const cw_value *in, int count) {
  cw_value v;
  need(w->context, cw_graph_node(w->context, w->graph, op, name, a, in, count, &v));
  return v;
}

static cw_value norm(work *w, cw_value x, int channels) {
  const cw_shape shape = CW_SHAPE(channels);
  const cw_value in[5] = {x, weights(w, "scale", true, shape, 0.9f, 1.1f),
                          weights(w, "shift", true, shape, -0.1f, 0.1f), weights(w, "mean", false, shape, -0.1f, 0.1f),
                          weights(w, "variance", false, shape, 0.9f, 1.1f)};
  return node(w, CW_OP_BATCH_NORM, "norm", NULL, in, 5);
}

static cw_value build(work *w, const layer *l) {
  const int n = l->size;
  const float bound = (float)sqrt(3.0 / (27.0 * l->in));
  cw_attributes a = cw_attributes_default();
  a.alpha = 0.1f;
  if (l->kind == FULLY) {
    const cw_value in[3] = {input(w, "x", CW_SHAPE(CW_BATCH, l->in)),
                            weights(w, "w", true, CW_SHAPE(l->out, l->in), -0.1f, 0.1f),
                            weights(w, "b", true, CW_SHAPE(l->out), -0.1f, 0.1f)};
    return node(w, CW_OP_GEMM, "y", NULL, in, 3);
  }
  const cw_value x = input(w, "x", CW_SHAPE(CW_BATCH, l->in, n, n, n));
  for (int i = 0; i < 3; i++) {
    a.kernel[i] = 3;
    a.pads[i] = a.pads[i + 3] = 1;
  }
  cw_attributes pool = cw_attributes_default(), up = cw_attributes_default();
  for (int i = 0; i < 3; i++)
    pool.kernel[i] = pool.stride[i] = up.scale[i] = 2;
  switch (l->kind) {
    case CONV: {
      const cw_value in[3] = {x, weights(w, "w", true, CW_SHAPE(l->out, l->in, 3, 3, 3), -bound, bound),
                              weights(w, "b", true, CW_SHAPE(l->out), -0.1f, 0.1f)};
      return node(w, CW_OP_CONV, "y", &a, in, 3);
    }
    case COND_CONV: {
      const cw_value in[6] = {x,
                              input(w, "o", CW_SHAPE(CW_BATCH, 1)),
                              weights(w, "w", true, CW_SHAPE(3, l->out, l->in, 3, 3, 3), -bound, bound),
                              weights(w, "b", true, CW_SHAPE(l->out), -0.1f, 0.1f),
                              weights(w, "rw", true, CW_SHAPE(3, l->in + 1), -0.1f, 0.1f),
                              weights(w, "rb", true, CW_SHAPE(3), -0.1f, 0.1f)};
      return node(w, CW_OP_COND_CONV, "y", &a, in, 6);
    }
    case NORM_POOL: {
      cw_value y = norm(w, x, l->in);
      y = node(w, CW_OP_LEAKY_RELU, "leaky", &a, &y, 1);
      return node(w, CW_OP_MAX_POOL, "y", &pool, &y, 1);
    }
    case RELU_NORM_POOL: {
      cw_value y = norm(w, node(w, CW_OP_RELU, "relu", NULL, &x, 1), l->in);
      return node(w, CW_OP_MAX_POOL, "y", &pool, &y, 1);
    }
    case NORM_UP: {
      cw_value y = norm(w, x, l->in);
      y = node(w, CW_OP_LEAKY_RELU, "leaky", &a, &y, 1);
      y = node(w, CW_OP_RESIZE_NEAREST, "up", &up, &y, 1);
      const cw_value in[2] = {y, input(w, "skip", CW_SHAPE(CW_BATCH, l->in, 2 * n, 2 * n, 2 * n))};
      return node(w, CW_OP_ADD, "y", NULL, in, 2);
    }
    case WARP: {
      const cw_value in[2] = {x, input(w, "u", CW_SHAPE(CW_BATCH, 3, n, n, n))};
      return node(w, CW_OP_WARP, "y", NULL, in, 2);
    }
    case EXPONENTIAL:
      a.squarings = 6;
      return node(w, CW_OP_EXPONENTIAL, "y", &a, &x, 1);
    default:
      a.norm = 1;
      return node(w, CW_OP_LOSS_SMOOTH, "y", &a, &x, 1);
  }
}

/* Multiply-adds count twice; a sample, forward. */
static double operations(const layer *l) {
  const double voxels = (double)l->size * l->size * l->size;
  if (l->kind == FULLY)
    return 2.0 * l->in * l->out;
  return l->kind == CONV || l->kind == COND_CONV ? 54.0 * l->in * l->out * voxels : 0;
}

static void describe(const layer *l, char text[96]) {
  static const char *const names[] = {
      "conv", "cc", "fc", "bn+lrelu+pool", "relu+bn+pool", "bn+lrelu+up+skip", "warp", "exponential", "smoothness"};
  if (l->kind == FULLY)
    snprintf(text, 96, "fc %d-%d", l->in, l->out);
  else if (l->kind == CONV || l->kind == COND_CONV)
    snprintf(text, 96, "%s %d-%d at %d^3", names[l->kind], l->in, l->out, l->size);
  else
    snprintf(text, 96, "%s %d at %d^3", names[l->kind], l->in, l->size);
}

static void forward(void *w) {
  cw_plan_forward(((work *)w)->plan);
}

static void backward(void *w) {
  cw_plan_backward(((work *)w)->plan);
}

static void measure(cw_context *context, const layer *l) {
  work w = {context, NULL, NULL, {0}, 0};
  need(context, cw_graph_create(context, &w.graph));
  const cw_value y = build(&w, l);
  need(context, cw_graph_output(context, w.graph, y));
  const cw_plan_options options = {
      .mode = CW_TRAINING, .batch = BATCH, .gradients = w.wanted, .gradient_count = w.wanted_count, .repeat = true};
  need(context, cw_plan_create(context, w.graph, &options, &w.plan));
  double bytes = 0;
  for (int i = 0; i < w.wanted_count; i++) {
    const size_t count = (size_t)cw_shape_elements(cw_value_shape(w.graph, w.wanted[i]), BATCH);
    fill(cw_plan_data(w.plan, w.wanted[i]), count, (uint64_t)i + 99, -1, 1);
    bytes += 4.0 * (double)count / BATCH;
  }
  const size_t outputs = (size_t)cw_shape_elements(cw_value_shape(w.graph, y), BATCH);
  bytes += 4.0 * (double)outputs / BATCH;
  fill(cw_plan_gradient(w.plan, y), outputs, 5, -1, 1);

  char text[96], name[128];
  describe(l, text);
  for (int pass = 0; pass < 2; pass++) {
    const double seconds = shortest(pass ? backward : forward, &w, 0.3) / BATCH;
    snprintf(name, sizeof name, "%s, %s", text, pass ? "backward" : "forward");
    row(name, 1e3 * seconds, "ms");
    if (operations(l) > 0)
      row(name, (pass + 1) * operations(l) / seconds * 1e-9, "GFLOP/s");
    else
      row(name, (pass + 1) * bytes / seconds * 1e-9, "GB/s");
  }
  cw_plan_free(context, w.plan);
  cw_graph_free(context, w.graph);
}

int main(void) {
  cw_context *context = open_context();
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
    measure(context, &layers[i]);
  cw_context_free(context);
  return 0;
}
