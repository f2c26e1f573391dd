#include "Training/simulator_graph.h"

#include <stdio.h>
#include <string.h>

/* After a failure every further call is a no-op. */
typedef struct builder {
  cw_context *context;
  cw_graph *graph;
  const cw_simulator_training_options *options;
  const cw_graph *simulator;
  cw_status status;
} builder;

static cw_value node(builder *b, cw_operator op, const char *name, const cw_attributes *a, int count, cw_value first,
                     cw_value second, cw_value third) {
  const cw_value inputs[3] = {first, second, third};
  cw_value out = CW_NONE;
  if (b->status == CW_OK)
    b->status = cw_graph_node(b->context, b->graph, op, name, a, inputs, count, &out);
  return out;
}

static cw_value apply(builder *b, const cw_graph *network, const char *prefix, bool frozen, const cw_value *inputs) {
  const cw_value wanted = cw_graph_output_at(network, 0);
  cw_value out = CW_NONE;
  if (b->status == CW_OK)
    b->status = cw_graph_append(b->context, b->graph, network, prefix, frozen, inputs, &wanted, 1, &out);
  return out;
}

/* The simulator's output for (x, o), and x warped by it. */
static cw_value simulate(builder *b, const char *prefix, cw_value x, cw_value o, cw_value *warped) {
  const cw_value field = apply(b, b->simulator, prefix, false, (const cw_value[]){x, o});
  char name[64];
  cw_value u = field;
  if (b->options->field == CW_FIELD_VELOCITY) {
    cw_attributes a = cw_attributes_default();
    a.squarings = b->options->squarings;
    snprintf(name, sizeof name, "%sexponential", prefix);
    u = node(b, CW_OP_EXPONENTIAL, name, &a, 1, field, CW_NONE, CW_NONE);
  }
  snprintf(name, sizeof name, "%swarped", prefix);
  *warped = node(b, CW_OP_WARP, name, NULL, 2, x, u, CW_NONE);
  return field;
}

static cw_value output(builder *b, cw_value value) {
  if (b->status == CW_OK)
    b->status = cw_graph_output(b->context, b->graph, value);
  return value;
}

/* Each classifier's logit of the simulated scan, and the hinge on its shift. */
static void add_shifts(builder *b, const cw_graph *classifier, cw_simulator_graph *r) {
  cw_value wanted[CW_MAX_CLASSIFIERS];
  r->logits = cw_graph_output_count(classifier);
  for (int k = 0; k < r->logits; k++)
    wanted[k] = cw_graph_output_at(classifier, k);
  if (b->status == CW_OK)
    b->status = cw_graph_append(b->context, b->graph, classifier, "classifier/", true, &r->simulated, wanted, r->logits,
                                r->logit);
  for (int k = 0; k < r->logits; k++) {
    char name[32];
    snprintf(name, sizeof name, "before %d", k + 1);
    if (b->status == CW_OK)
      b->status = cw_graph_input(b->context, b->graph, name, CW_SHAPE(CW_BATCH, 1), &r->before[k]);
    snprintf(name, sizeof name, "shift %d", k + 1);
    r->shift[k] = output(b, node(b, CW_OP_LOSS_SHIFT, name, NULL, 3, r->logit[k], r->before[k], r->direction));
    output(b, r->logit[k]);
  }
}

cw_status cw_simulator_graph_create(cw_context *context, const cw_simulator_training_options *options,
                                    const cw_graph *simulator, const cw_graph *classifier,
                                    const cw_graph *discriminator, cw_simulator_graph *r) {
  memset(r, 0, sizeof *r);
  builder b = {context, NULL, options, simulator, CW_OK};
  CW_TRY(cw_graph_create(context, &b.graph));
  r->graph = b.graph;
  const cw_shape one = CW_SHAPE(CW_BATCH, 1), scan = *cw_value_shape(simulator, cw_graph_input_at(simulator, 0));
  cw_value *inputs[] = {&r->image, &r->direction, &r->reverse};
  static const char *const names[] = {"image", "direction", "reverse"};
  for (int i = 0; i < 3 && b.status == CW_OK; i++)
    b.status = cw_graph_input(context, b.graph, names[i], i ? one : scan, inputs[i]);

  cw_value cycled, unused;
  const cw_value field = simulate(&b, "forth/", r->image, r->direction, &r->simulated);
  add_shifts(&b, classifier, r);
  const cw_value back = simulate(&b, "back/", r->simulated, r->reverse, &cycled);

  cw_attributes a = cw_attributes_default();
  a.norm = options->norm;
  a.epsilon = (float)options->strain;
  r->cycle = output(&b, node(&b, CW_OP_LOSS_MSE, "cycle", NULL, 2, cycled, r->image, CW_NONE));
  r->smooth = output(&b, node(&b, CW_OP_LOSS_SMOOTH, "smooth", &a, 1, field, CW_NONE, CW_NONE));
  r->smooth_back = output(&b, node(&b, CW_OP_LOSS_SMOOTH, "smooth back", &a, 1, back, CW_NONE, CW_NONE));
  r->magnitude = r->magnitude_back = r->identity = r->adversarial = r->real = CW_NONE;
  if (options->magnitude > 0) {
    r->magnitude = output(&b, node(&b, CW_OP_LOSS_MAGNITUDE, "magnitude", NULL, 1, field, CW_NONE, CW_NONE));
    r->magnitude_back = output(&b, node(&b, CW_OP_LOSS_MAGNITUDE, "magnitude back", NULL, 1, back, CW_NONE, CW_NONE));
  }
  if (options->identity > 0) {
    const cw_value still = simulate(&b, "again/", r->simulated, r->direction, &unused);
    r->identity = output(&b, node(&b, CW_OP_LOSS_MAGNITUDE, "identity", NULL, 1, still, CW_NONE, CW_NONE));
  }
  if (discriminator) {
    if (b.status == CW_OK)
      b.status = cw_graph_input(context, b.graph, "real", one, &r->real);
    const cw_value judged = apply(&b, discriminator, "discriminator/", true, &r->simulated);
    r->adversarial = output(&b, node(&b, CW_OP_LOSS_BCE, "adversarial", NULL, 2, judged, r->real, CW_NONE));
  }
  if (discriminator)
    output(&b, r->simulated);
  if (b.status != CW_OK) {
    cw_graph_free(context, b.graph);
    memset(r, 0, sizeof *r);
  }
  return b.status;
}

/* The classifier's logit of the graph's image, copied; of several classifiers the sum of logits times shares. */
static cw_status append_logit(cw_context *context, cw_graph *graph, const cw_graph *classifier, const double *shares,
                              cw_value image, cw_value *logit) {
  const int count = cw_graph_output_count(classifier);
  cw_value wanted[CW_MAX_CLASSIFIERS], logits[CW_MAX_CLASSIFIERS], in[2];
  float weights[CW_MAX_CLASSIFIERS];
  if (count < 1 || count > CW_MAX_CLASSIFIERS)
    return cw_fail(context, CW_ERROR_ARGUMENT, "joining a simulator: the classifier has %d logits, expected 1 to %d",
                   count, CW_MAX_CLASSIFIERS);
  for (int k = 0; k < count; k++) {
    wanted[k] = cw_graph_output_at(classifier, k);
    weights[k] = (float)(shares ? shares[k] : 1.0 / count);
  }
  CW_TRY(cw_graph_append_copy(context, graph, classifier, "classifier/", &image, wanted, count, logits));
  *logit = logits[0];
  if (count == 1)
    return CW_OK;
  CW_TRY(cw_graph_node(context, graph, CW_OP_CONCAT, "logits", NULL, logits, count, &in[0]));
  CW_TRY(cw_graph_parameter(context, graph, "logits/shares", CW_SHAPE(1, count), false, weights, &in[1]));
  return cw_graph_node(context, graph, CW_OP_GEMM, "mean logit", NULL, in, 2, logit);
}

cw_status cw_simulator_join(cw_context *context, const cw_graph *simulator, const cw_graph *classifier,
                            const double *shares, cw_field_model field, cw_graph **graph) {
  *graph = NULL;
  cw_graph *joined;
  CW_TRY(cw_graph_create(context, &joined));
  cw_value inputs[2], out[2];
  const cw_value wanted = cw_graph_output_at(simulator, 0);
  cw_status status =
      cw_graph_input(context, joined, "image", *cw_value_shape(simulator, cw_graph_input_at(simulator, 0)), &inputs[0]);
  if (status == CW_OK)
    status = cw_graph_input(context, joined, "direction", CW_SHAPE(CW_BATCH, 1), &inputs[1]);
  if (status == CW_OK)
    status = cw_graph_append_copy(context, joined, simulator, "simulator/", inputs, &wanted, 1, &out[0]);
  if (status == CW_OK)
    status = append_logit(context, joined, classifier, shares, inputs[0], &out[1]);
  if (status == CW_OK)
    status = cw_graph_rename(context, joined, out[0], field == CW_FIELD_VELOCITY ? "velocity" : "displacement");
  if (status == CW_OK)
    status = cw_graph_rename(context, joined, out[1], "logit");
  if (status == CW_OK)
    status = cw_graph_output(context, joined, out[0]);
  if (status == CW_OK)
    status = cw_graph_output(context, joined, out[1]);
  if (status != CW_OK) {
    cw_graph_free(context, joined);
    return status;
  }
  *graph = joined;
  return CW_OK;
}
