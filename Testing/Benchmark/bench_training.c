/* Whole networks: bench_training train|simulate|classify SIZE BATCH
 *
 * train: one step of the simulator's training (displacement field; hinge on the frozen classifier's logit, smoothness,
 *   cycle; forward, backward, Adam): seconds a sample, the plan's memory, the process's largest resident memory.
 * simulate: field and warped image.  classify: the logit. */
#include <string.h>

#include "counterwarp/networks.h"
#include "measure.h"
#include "Training/simulator_graph.h"
#include "Training/training_internal.h"

typedef struct job {
  cw_context *context;
  cw_graph *graph, *simulator, *classifier;
  cw_plan *plan, *before; /* before: the classifier on the scans themselves */
  cw_value before_logit, logit;
  int batch;
  cw_trainer trainer;
  cw_training_options options;
  cw_value *map;
} job;

static void run_forward(void *argument) {
  cw_plan_forward(((job *)argument)->plan);
}

static void run_step(void *argument) {
  job *j = argument;
  cw_plan_forward(j->before);
  memcpy(cw_plan_data(j->plan, j->before_logit), cw_plan_data(j->before, j->logit), (size_t)j->batch * sizeof(float));
  cw_plan_forward(j->plan);
  cw_plan_backward(j->plan);
  cw_trainer_adam(&j->trainer, j->plan, j->map, 1e-6, cw_context_threads(j->context));
}

static cw_value node(job *j, cw_operator op, const char *name, const cw_attributes *a, const cw_value *in, int count) {
  cw_value v;
  need(j->context, cw_graph_node(j->context, j->graph, op, name, a, in, count, &v));
  need(j->context, cw_graph_output(j->context, j->graph, v));
  return v;
}

static cw_value part(job *j, const cw_graph *network, const char *prefix, bool frozen, const cw_value *in) {
  const cw_value wanted = cw_graph_output_at(network, 0);
  cw_value v;
  need(j->context, cw_graph_append(j->context, j->graph, network, prefix, frozen, in, &wanted, 1, &v));
  return v;
}

/* The trainer's own graph. */
static void build_training(job *j, int size) {
  cw_context *c = j->context;
  cw_simulator_training_options training = cw_simulator_training_defaults(size, CW_OBJECTIVE_PAPER);
  cw_graph_free(c, j->graph);
  cw_simulator_graph g;
  need(c, cw_simulator_graph_create(c, &training, j->simulator, j->classifier, NULL, &g));
  j->graph = g.graph;
  cw_plan_options options = {.mode = CW_TRAINING, .batch = j->batch};
  need(c, cw_plan_create(c, j->graph, &options, &j->plan));
  options.mode = CW_INFERENCE;
  need(c, cw_plan_create(c, j->classifier, &options, &j->before));
  cw_plan_set_margin(j->plan, CW_NONE, 12.5f, 12.5f);
  const cw_value outputs[5] = {g.shift[0], g.cycle, g.smooth, g.smooth_back, g.logit[0]};
  const float weights[5] = {1, 100, 1, 1, 0};
  for (int i = 0; i < 5; i++)
    fill(cw_plan_gradient(j->plan, outputs[i]), (size_t)j->batch, 0, weights[i], weights[i]);
  for (int n = 0; n < j->batch; n++) {
    cw_plan_data(j->plan, g.direction)[n] = n % 2 ? -1.0f : 1.0f;
    cw_plan_data(j->plan, g.reverse)[n] = n % 2 ? 1.0f : -1.0f;
  }
  const size_t samples = (size_t)j->batch * size * size * size;
  fill(cw_plan_data(j->plan, g.image), samples, 3, 0, 1);
  fill(cw_plan_data(j->before, cw_graph_input_at(j->classifier, 0)), samples, 3, 0, 1);
  j->before_logit = g.before[0];
  j->logit = cw_graph_output_at(j->classifier, 0);
  j->options.weight_decay = 1e-4;
  need(c, cw_trainer_create(c, j->simulator, &j->options, 0, "", &j->trainer));
  need(c, cw_map_values(c, j->simulator, j->graph, "forth/", &j->map));
}

static void build_inference(job *j, bool simulate, int size) {
  cw_context *c = j->context;
  cw_value in[2];
  need(c, cw_graph_input(c, j->graph, "image", CW_SHAPE(CW_BATCH, 1, size, size, size), &in[0]));
  if (simulate) {
    need(c, cw_graph_input(c, j->graph, "direction", CW_SHAPE(CW_BATCH, 1), &in[1]));
    const cw_value u = part(j, j->simulator, "s/", true, in), warp[2] = {in[0], u};
    need(c, cw_graph_output(c, j->graph, u));
    node(j, CW_OP_WARP, "moved", NULL, warp, 2);
  } else {
    need(c, cw_graph_output(c, j->graph, part(j, j->classifier, "c/", true, in)));
  }
  const cw_plan_options options = {.mode = CW_INFERENCE, .batch = j->batch};
  need(c, cw_plan_create(c, j->graph, &options, &j->plan));
  for (int n = 0; simulate && n < j->batch; n++)
    cw_plan_data(j->plan, in[1])[n] = 1;
  fill(cw_plan_data(j->plan, in[0]), (size_t)j->batch * size * size * size, 3, 0, 1);
}

int main(int argc, char **argv) {
  const int size = argc == 4 ? atoi(argv[2]) : 0, batch = argc == 4 ? atoi(argv[3]) : 0;
  if (size < 1 || batch < 1) {
    fprintf(stderr, "usage: bench_training train|simulate|classify SIZE BATCH\n");
    return 2;
  }
  const bool train = !strcmp(argv[1], "train"), simulate = !strcmp(argv[1], "simulate");
  job j = {.context = open_context(), .batch = batch};
  const cw_simulator_options simulator = {.size = size, .dropout = 0.1f, .seed = 1};
  need(j.context, cw_network_simulator(j.context, &simulator, &j.simulator));
  need(j.context, cw_network_classifier(j.context, size, 1, &j.classifier));
  need(j.context, cw_graph_create(j.context, &j.graph));
  if (train)
    build_training(&j, size);
  else
    build_inference(&j, simulate, size);

  char name[96], memory[128];
  snprintf(name, sizeof name, "%s, %d^3, batch %d",
           train      ? "training step"
           : simulate ? "simulation"
                      : "classifier",
           size, batch);
  const double seconds = shortest(train ? run_step : run_forward, &j, train ? 5 : 2) / batch;
  if (train)
    row(name, seconds, "s/sample");
  else
    row(name, 1e3 * seconds, "ms/sample");
  snprintf(memory, sizeof memory, "%s, planned memory", name);
  row(memory, (double)(cw_plan_bytes(j.plan) + (j.before ? cw_plan_bytes(j.before) : 0)) / 1048576, "MiB");
  snprintf(memory, sizeof memory, "%s, peak memory", name);
  row(memory, peak_memory(), "MiB");

  if (train) {
    cw_trainer_free(j.context, &j.trainer);
    cw_release(j.context, j.map);
    cw_plan_free(j.context, j.before);
  }
  cw_plan_free(j.context, j.plan);
  cw_graph_free(j.context, j.graph);
  cw_graph_free(j.context, j.simulator);
  cw_graph_free(j.context, j.classifier);
  cw_context_free(j.context);
  return 0;
}
