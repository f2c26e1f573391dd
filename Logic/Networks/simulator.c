/* The reference simulator: a U-net of conditional convolutions with additive skips. */
#include <math.h>
#include <stdio.h>

#include "counterwarp/networks.h"
#include "Networks/builder.h"

enum { EXPERTS = 3, NARROW = 512, MAX_LEVELS = 5 };

typedef struct simulator {
  cw_builder b;
  const cw_simulator_options *options;
  cw_value direction;
} simulator;

static const char *part(char text[48], const char *name, const char *suffix) {
  snprintf(text, 48, "%s.%s", name, suffix);
  return text;
}

/* CC(in-out) of `x`: Xavier uniform experts scaled by `gain`, zero bias. */
static cw_value conditional(simulator *s, const char *name, cw_value x, int in, int out, double gain) {
  char text[48], route[64];
  cw_builder *b = &s->b;
  part(text, name, "cc");
  snprintf(route, sizeof route, "%s.route", text);
  cw_attributes a = cw_attributes_default();
  for (int i = 0; i < 3; i++) {
    a.kernel[i] = 3;
    a.pads[i] = a.pads[i + 3] = 1;
  }
  a.ratio = s->options->dropout;
  const int features = s->options->route_by_direction_only ? 1 : in + 1;
  const double bound = gain * sqrt(6.0 / (27.0 * in + 27.0 * out));
  const cw_value w = cw_build_parameter(b, text, "weight", CW_SHAPE(EXPERTS, out, in, 3, 3, 3), true, bound, 0);
  const cw_value bias = cw_build_parameter(b, text, "bias", CW_SHAPE(out), true, 0, 0);
  const double route_bound = 1 / sqrt((double)features);
  const cw_value rw = cw_build_parameter(b, route, "weight", CW_SHAPE(EXPERTS, features), true, route_bound, 0);
  const cw_value rb = cw_build_parameter(b, route, "bias", CW_SHAPE(EXPERTS), true, route_bound, 0);
  return cw_build_node(b, CW_OP_COND_CONV, text, &a, (const cw_value[]){x, s->direction, w, bias, rw, rb}, 6);
}

/* BN, LeakyReLU 0.1 */
static cw_value activate(simulator *s, const char *name, cw_value x, int channels) {
  char text[48];
  x = cw_build_norm(&s->b, part(text, name, "norm"), x, channels);
  return cw_build_leaky(&s->b, part(text, name, "act"), x, 0.1f);
}

/* flatten, FC 512, concat o, ReLU, FC, reshape */
static cw_value neck(simulator *s, cw_value x, int channels, int side) {
  cw_builder *b = &s->b;
  const int features = channels * side * side * side;
  x = cw_build_reshape(b, "neck.flatten", x, CW_SHAPE(CW_BATCH, features));
  x = cw_build_linear(b, "neck.fc1", "neck.fc1", x, features, NARROW);
  x = cw_build_pair(b, CW_OP_CONCAT, "neck.concat", x, s->direction);
  x = cw_build_relu(b, "neck.relu", x);
  x = cw_build_linear(b, "neck.fc2", "neck.fc2", x, NARROW + 1, features);
  return cw_build_reshape(b, "neck.reshape", x, CW_SHAPE(CW_BATCH, channels, side, side, side));
}

/* Widths of d0 .. d[levels]: 16-32-64-16, then 16 for each further level. */
static const int widths[MAX_LEVELS + 1] = {16, 32, 64, 16, 16, 16};

static cw_value network(simulator *s, cw_value image, int size, int levels) {
  cw_builder *b = &s->b;
  cw_value down[MAX_LEVELS + 1];
  char name[24], text[48];
  down[0] = conditional(s, "input", image, 1, widths[0], 1);
  for (int i = 1; i <= levels; i++) {
    snprintf(name, sizeof name, "down%d", i);
    cw_value x = activate(s, name, down[i - 1], widths[i - 1]);
    x = cw_build_pool(b, part(text, name, "pool"), x);
    down[i] = conditional(s, name, x, widths[i - 1], widths[i], 1);
  }
  cw_value x = neck(s, down[levels], widths[levels], size >> levels);
  x = conditional(s, "up0", x, widths[levels], widths[levels], 1);
  x = cw_build_pair(b, CW_OP_ADD, "up0.skip", x, down[levels]);
  /* Each stage: BN, LReLU, Up2, + skip, then CC to the width of the next skip; the last one gives the field.  A stage
   * without upsampling comes first where the narrow end and the next skip differ in width (three levels). */
  int width = widths[levels], skip = levels - 1;
  for (int stage = 1; skip >= 0; stage++) {
    const bool widen = width != widths[skip];
    const bool last = !widen && skip == 0;
    if (last)
      snprintf(name, sizeof name, "output");
    else
      snprintf(name, sizeof name, "up%d", stage);
    if (!widen) {
      x = activate(s, name, x, width);
      x = cw_build_up(b, part(text, name, "resize"), x);
      x = cw_build_pair(b, CW_OP_ADD, part(text, name, "skip"), x, down[skip]);
    }
    const int out = last ? 3 : widen ? widths[skip] : widths[skip - 1];
    /* A small output starts the training near the identity. */
    x = conditional(s, name, x, width, out, last ? 0.1 : 1);
    width = out;
    skip -= !widen;
  }
  return x;
}

cw_status cw_network_simulator(cw_context *context, const cw_simulator_options *options, cw_graph **graph) {
  int levels = 0;
  *graph = NULL;
  CW_TRY(cw_network_levels(context, options->size, &levels));
  if (options->taper_margin < 0 || options->taper_margin > options->size / 4)
    return cw_fail(context, CW_ERROR_ARGUMENT, "simulator: taper of %d voxels; expected 0 to %d", options->taper_margin,
                   options->size / 4);
  simulator s = {{context, NULL, options->seed, 0, CW_OK}, options, CW_NONE};
  const int size = options->size;
  s.b.status = cw_graph_create(context, &s.b.graph);
  const cw_value image = cw_build_input(&s.b, "image", CW_SHAPE(CW_BATCH, 1, size, size, size));
  s.direction = cw_build_input(&s.b, "direction", CW_SHAPE(CW_BATCH, 1));
  cw_value field = network(&s, image, size, levels);
  if (options->taper_margin > 0) {
    cw_attributes a = cw_attributes_default();
    a.margin = options->taper_margin;
    field = cw_build_node(&s.b, CW_OP_TAPER, "field", &a, &field, 1);
  }
  if (s.b.status == CW_OK)
    s.b.status = cw_graph_output(context, s.b.graph, field);
  if (s.b.status != CW_OK) {
    cw_graph_free(context, s.b.graph);
    return s.b.status;
  }
  *graph = s.b.graph;
  return CW_OK;
}
