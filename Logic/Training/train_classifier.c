#include <math.h>
#include <string.h>

#include "Training/training_internal.h"

enum { STATISTICS_BATCHES = 8, EVALUATION_BATCH = 16 };
/* Mean losses: a coin's is ln 2; while that of the scans kept back is above the second, the schedule waits; above the
 * third, the weights may be drawn anew. */
static const double COIN = 0.6931472, CHANCE = 0.6, HOPELESS = 0.67;
enum { LAST_LOSS }; /* of the scans kept back, in the trainer's own state */
static const char stage[] = "training the classifier";

cw_training_options cw_classifier_training_defaults(int size) {
  (void)size;
  cw_training_options o = {0};
  o.steps = 800;
  o.wait = 1600; /* small brains stay at chance for 75 to 625 steps and more */
  o.batch = 16;
  o.learning_rate = 5e-4;
  o.weight_decay = 1e-4;
  o.evaluate_every = 25;
  o.seed = 1;
  return o;
}

typedef struct run {
  cw_context *context;
  const cw_dataset *dataset;
  const cw_split *split;
  const cw_training_options *options;
  cw_batches batches;
  cw_trainer trainer;
  cw_graph *network, *graph; /* the classifier; with its loss */
  cw_plan *training, *evaluation;
  cw_value image, target, loss;  /* of graph */
  cw_value network_image, logit; /* of network */
  cw_value *map;                 /* network's values in graph */
} run;

static void run_free(run *r) {
  cw_plan_free(r->context, r->training);
  cw_plan_free(r->context, r->evaluation);
  cw_graph_free(r->context, r->graph);
  cw_graph_free(r->context, r->network);
  cw_batches_free(r->context, &r->batches);
  cw_trainer_free(r->context, &r->trainer);
  cw_release(r->context, r->map);
}

/* Copies the parameters and running statistics that `start` has under the same name and shape. */
static cw_status start_from(cw_context *c, const cw_graph *start, const cw_graph *network) {
  int copied = 0;
  for (cw_value v = 0; v < cw_graph_value_count(network); v++) {
    float *data = cw_value_data(network, v);
    const cw_value from = data ? cw_graph_find(start, cw_value_name(network, v)) : CW_NONE;
    if (from == CW_NONE || !cw_value_data(start, from) ||
        !cw_shape_equal(cw_value_shape(start, from), cw_value_shape(network, v)))
      continue;
    memcpy(data, cw_value_data(start, from), (size_t)cw_shape_elements(cw_value_shape(network, v), 1) * sizeof(float));
    copied++;
  }
  return copied ? CW_OK
                : cw_fail(c, CW_ERROR_ARGUMENT,
                          "training the classifier: the model to start from shares no parameter with the network");
}

static cw_status build(run *r) {
  cw_context *c = r->context;
  const int size = r->dataset->preprocessing.grid.size[0];
  CW_TRY(cw_network_classifier(c, size, r->options->seed, &r->network));
  if (r->options->start)
    CW_TRY(start_from(c, r->options->start, r->network));
  r->network_image = cw_graph_input_at(r->network, 0);
  r->logit = cw_graph_output_at(r->network, 0);
  CW_TRY(cw_graph_create(c, &r->graph));
  CW_TRY(cw_graph_input(c, r->graph, "image", CW_SHAPE(CW_BATCH, 1, size, size, size), &r->image));
  CW_TRY(cw_graph_input(c, r->graph, "target", CW_SHAPE(CW_BATCH, 1), &r->target));
  cw_value logit;
  CW_TRY(cw_graph_append(c, r->graph, r->network, "net/", false, &r->image, &r->logit, 1, &logit));
  CW_TRY(cw_graph_node(c, r->graph, CW_OP_LOSS_BCE, "loss", NULL, (const cw_value[]){logit, r->target}, 2, &r->loss));
  CW_TRY(cw_graph_output(c, r->graph, r->loss));
  CW_TRY(cw_map_values(c, r->network, r->graph, "net/", &r->map));
  cw_plan_options o = {0};
  o.mode = CW_TRAINING;
  o.batch = r->options->batch;
  CW_TRY(cw_plan_create(c, r->graph, &o, &r->training));
  o.mode = CW_INFERENCE;
  o.batch = EVALUATION_BATCH;
  return cw_plan_create(c, r->network, &o, &r->evaluation);
}

/* Running statistics as the plain average over a few batches of training scans: those gathered while the weights moved
 * lag behind. */
static cw_status settle_statistics(run *r) {
  for (int k = 0; k < STATISTICS_BATCHES; k++) {
    CW_TRY(cw_trainer_alive(r->context, &r->trainer, stage));
    cw_plan_set_step(r->training, (uint64_t)k);
    cw_batches_draw(&r->batches, (uint64_t)k, CW_DRAW_PLAIN, cw_plan_data(r->training, r->image),
                    cw_plan_data(r->training, r->target));
    cw_plan_forward(r->training);
  }
  return CW_OK;
}

/* Mean BCE and balanced accuracy on the scans kept back. */
static cw_status evaluate(run *r, double *mean_loss, double *accuracy) {
  const size_t samples = r->batches.samples;
  double loss = 0;
  int right[2] = {0, 0}, count[2] = {0, 0};
  for (int i = 0; i < r->split->validation_count; i += EVALUATION_BATCH) {
    const int n = r->split->validation_count - i < EVALUATION_BATCH ? r->split->validation_count - i : EVALUATION_BATCH;
    CW_TRY(cw_trainer_alive(r->context, &r->trainer, stage));
    for (int k = 0; k < n; k++)
      memcpy(cw_plan_data(r->evaluation, r->network_image) + (size_t)k * samples,
             r->dataset->samples + (size_t)r->split->validation[i + k] * samples, samples * sizeof(float));
    cw_plan_forward(r->evaluation);
    for (int k = 0; k < n; k++) {
      const double y = cw_plan_data(r->evaluation, r->logit)[k];
      const int label = r->dataset->label[r->split->validation[i + k]] != 0;
      loss += (y > 0 ? y : 0) - y * label + log1p(exp(-fabs(y)));
      count[label]++;
      right[label] += (y > 0) == (label == 1);
    }
  }
  double sum = 0;
  int groups = 0;
  for (int g = 0; g < 2; g++)
    if (count[g]) {
      sum += (double)right[g] / count[g];
      groups++;
    }
  *accuracy = groups ? sum / groups : 0;
  *mean_loss = loss / r->split->validation_count;
  return CW_OK;
}

/* Where the schedule stands. */
static int position(const run *r) {
  return r->trainer.step - r->trainer.waited;
}

static cw_status train_step(run *r, double *loss) {
  cw_plan *plan = r->training;
  const int batch = r->options->batch, at = position(r);
  cw_batches_draw(&r->batches, (uint64_t)r->trainer.step,
                  at < r->options->steps / 2 ? CW_DRAW_AUGMENTED : CW_DRAW_ERASED, cw_plan_data(plan, r->image),
                  cw_plan_data(plan, r->target));
  cw_plan_set_step(plan, (uint64_t)r->trainer.step);
  cw_plan_forward(plan);
  *loss = 0;
  for (int n = 0; n < batch; n++) {
    *loss += cw_plan_data(plan, r->loss)[n] / batch;
    cw_plan_gradient(plan, r->loss)[n] = 1.0f / (float)batch;
  }
  if (!isfinite(*loss))
    return cw_fail(r->context, CW_ERROR_NUMERIC, "training the classifier: the loss is not finite at step %d",
                   r->trainer.step + 1);
  cw_plan_backward(plan);
  cw_trainer_adam(&r->trainer, plan, r->map, cw_one_cycle(r->options->learning_rate, at, r->options->steps),
                  cw_context_threads(r->context));
  r->trainer.waited += at == cw_one_cycle_top(r->options->steps) && r->trainer.extra[LAST_LOSS] > CHANCE &&
                       r->trainer.waited < r->options->wait;
  r->trainer.step++;
  return CW_OK;
}

/* Weights that have not left chance in a quarter of the time that there is to wait are drawn anew, while there is time
 * for it: some never leave it. */
static cw_status draw_again(run *r) {
  cw_trainer *t = &r->trainer;
  if (!r->options->wait || r->options->start || t->extra[LAST_LOSS] <= HOPELESS ||
      position(r) != cw_one_cycle_top(r->options->steps) || t->waited - t->begun < 0.25 * r->options->wait ||
      t->step > r->options->wait)
    return CW_OK;
  cw_graph *fresh;
  const uint64_t seed = r->options->seed + ((uint64_t)t->step << 32);
  CW_TRY(cw_network_classifier(r->context, r->dataset->preprocessing.grid.size[0], seed, &fresh));
  const cw_status status = start_from(r->context, fresh, r->network);
  cw_graph_free(r->context, fresh);
  memset(t->first, 0, t->values * sizeof *t->first);
  memset(t->second, 0, t->values * sizeof *t->second);
  t->waited = t->begun = t->step;
  t->stale = 0;
  cw_warn(r->context, "the classifier is still at chance after %d steps; it begins again from other weights.", t->step);
  return status;
}

static cw_status loop(run *r) {
  const int steps = r->options->steps;
  bool stop = r->options->patience > 0 && r->trainer.stale >= r->options->patience;
  while (position(r) < steps && !stop) {
    CW_TRY(cw_trainer_progress(r->context, &r->trainer, stage));
    double loss;
    CW_TRY(train_step(r, &loss));
    if (r->trainer.step % r->options->evaluate_every && position(r) < steps)
      continue;
    double held_out, accuracy;
    CW_TRY(settle_statistics(r));
    CW_TRY(evaluate(r, &held_out, &accuracy));
    cw_trainer_evaluated(&r->trainer, held_out, &stop);
    r->trainer.extra[LAST_LOSS] = held_out;
    if (r->options->wait && held_out > CHANCE && position(r) <= cw_one_cycle_top(steps)) {
      r->trainer.stale = 0; /* patience begins when the schedule goes on */
      stop = false;
    }
    CW_TRY(
        cw_trainer_log(r->context, &r->trainer, "%d\t%.6g\t%.6g\t%.4f\n", r->trainer.step, loss, held_out, accuracy));
    CW_TRY(draw_again(r));
    CW_TRY(cw_trainer_save(r->context, &r->trainer));
  }
  return cw_progress(r->context, stage, 1);
}

cw_status cw_train_classifier(cw_context *context, const cw_dataset *dataset, const cw_split *split,
                              const cw_training_options *options, cw_graph **graph, cw_training_summary *summary) {
  *graph = NULL;
  CW_TRY(cw_training_check(context, dataset, split, options));
  const int *size = dataset->preprocessing.grid.size;
  if (size[0] != size[1] || size[1] != size[2])
    return cw_fail(context, CW_ERROR_ARGUMENT, "training: the grid is %d x %d x %d; expected a cube", size[0], size[1],
                   size[2]);
  run r = {0};
  r.context = context;
  r.dataset = dataset;
  r.split = split;
  r.options = options;
  const double start = cw_seconds();
  cw_status status = cw_batches_create(context, dataset, split, options, &r.batches);
  if (status == CW_OK)
    status = build(&r);
  if (status == CW_OK)
    status = cw_trainer_create(context, r.network, options, cw_fingerprint_run(context, dataset, split, options),
                               "step\ttraining_loss\tvalidation_loss\tvalidation_balanced_accuracy", &r.trainer);
  r.trainer.extra[LAST_LOSS] = COIN;
  if (status == CW_OK)
    status = cw_trainer_resume(context, &r.trainer);
  if (status == CW_OK)
    status = loop(&r);
  if (status == CW_OK) {
    cw_trainer_restore_best(&r.trainer);
    if (summary)
      *summary = (cw_training_summary){.steps = r.trainer.step,
                                       .best_step = r.trainer.best_step,
                                       .best_loss = r.trainer.best_loss,
                                       .seconds = cw_seconds() - start};
    *graph = r.network;
    r.network = NULL;
  }
  /* The loss graph borrows the network's parameters; plans borrow both. */
  run_free(&r);
  return status;
}
