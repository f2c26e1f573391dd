/* Training a simulator for a frozen classifier (Liu et al. 2021, arXiv 2102.08239).
 *
 * The paper minimises shift + smoothness + cycle with fixed weights.  The default here treats the margin as a
 * constraint: the shift's weight, one for each direction, grows by up to 5 % a step while the scans' mean logit shift
 * falls short of the margin and shrinks when it is met, so that what is minimised is the warp.  Scans differ in how far
 * they go; a factor of the field (gain.c) then takes nearly all of them to their goal. */
#include <math.h>
#include <string.h>

#include "Training/simulator_graph.h"
#include "Training/training_internal.h"

enum { STATISTICS_BATCHES = 8, INJECT = 0, REMOVE = 1, MISSED = 50, SHIFT_WEIGHT = 10 };
static const char stage[] = "training the simulator";

static const double REACHED = 0.9; /* of the margin, below which a state is no solution */

cw_simulator_training_options cw_simulator_training_defaults(int size, cw_objective objective) {
  cw_simulator_training_options o = {0};
  o.common.steps = size > 48 ? 600 : 400;
  o.common.batch = 8;
  o.common.learning_rate = 2e-4;
  o.common.weight_decay = 1e-4;
  o.common.evaluate_every = 25;
  o.common.seed = 1;
  o.network.size = size;
  o.network.dropout = 0.1f;
  o.network.seed = 1;
  o.objective = objective;
  o.squarings = 6;
  o.strain = 0.1;
  o.cycle_from = 20;
  if (objective == CW_OBJECTIVE_PAPER) {
    o.field = CW_FIELD_DISPLACEMENT;
    o.margin = 12.5;
    o.norm = CW_SMOOTH_ABSOLUTE;
    o.smoothness = 1e-3;
    o.cycle = 1;
  } else {
    o.field = CW_FIELD_VELOCITY;
    o.network.taper_margin = size / 16;
    o.norm = CW_SMOOTH_ISOTROPIC;
    o.smoothness = 300;
    o.magnitude = 500;
    o.cycle = 300;
  }
  return o;
}

typedef struct run {
  cw_context *context;
  const cw_dataset *dataset;
  const cw_split *split;
  const cw_simulator_training_options *options;
  cw_batches batches;
  cw_trainer trainer;
  cw_margin margin[CW_MAX_CLASSIFIERS];
  cw_graph *simulator, *judge, *judge_graph; /* judge: the discriminator */
  cw_simulator_graph g;
  cw_plan *training, *evaluation, *classifier, *statistics, *judging;
  cw_value classifier_image, classifier_logit[CW_MAX_CLASSIFIERS], judge_image, judge_target, judge_loss;
  cw_value *map, *judge_map;
  cw_trainer judge_trainer;
  float *labels;
} run;

static void run_free(run *r) {
  cw_context *c = r->context;
  cw_plan_free(c, r->training);
  cw_plan_free(c, r->evaluation);
  cw_plan_free(c, r->classifier);
  cw_plan_free(c, r->statistics);
  cw_plan_free(c, r->judging);
  cw_graph_free(c, r->g.graph);
  cw_graph_free(c, r->judge_graph);
  cw_graph_free(c, r->judge);
  cw_graph_free(c, r->simulator);
  cw_batches_free(c, &r->batches);
  cw_trainer_free(c, &r->trainer);
  cw_trainer_free(c, &r->judge_trainer);
  cw_release(c, r->map);
  cw_release(c, r->judge_map);
  cw_release(c, r->labels);
}

/* ---- the classifiers' logits ---- */

static void classify(run *r, const float *images) {
  const size_t count = (size_t)r->options->common.batch * r->batches.samples;
  memcpy(cw_plan_data(r->classifier, r->classifier_image), images, count * sizeof(float));
  cw_plan_forward(r->classifier);
}

static float direction_of(const run *r, int n) {
  return (float)cw_direction_of(r->classifier, r->classifier_logit, r->margin, r->g.logits, n);
}

static cw_status choose_margins(run *r) {
  for (int k = 0; k < r->g.logits; k++) {
    const cw_margin_request request = {
        r->dataset, r->split, r->classifier, r->classifier_image, r->classifier_logit[k], r->options->common.batch};
    r->margin[k].distance = r->options->margin;
    CW_TRY(cw_choose_margin(r->context, &request, &r->margin[k]));
    const float distance = (float)r->margin[k].distance;
    for (int mode = 0; mode < 2; mode++)
      cw_plan_set_margin(mode ? r->evaluation : r->training, r->g.shift[k], distance, distance);
  }
  return CW_OK;
}

/* ---- set-up ---- */

static cw_status build_judge(run *r) {
  cw_context *c = r->context;
  CW_TRY(cw_network_classifier(c, r->options->network.size, r->options->common.seed + 77, &r->judge));
  CW_TRY(cw_graph_create(c, &r->judge_graph));
  const cw_shape shape = *cw_value_shape(r->judge, cw_graph_input_at(r->judge, 0));
  CW_TRY(cw_graph_input(c, r->judge_graph, "image", shape, &r->judge_image));
  CW_TRY(cw_graph_input(c, r->judge_graph, "target", CW_SHAPE(CW_BATCH, 1), &r->judge_target));
  const cw_value wanted = cw_graph_output_at(r->judge, 0);
  cw_value logit;
  CW_TRY(cw_graph_append(c, r->judge_graph, r->judge, "net/", false, &r->judge_image, &wanted, 1, &logit));
  CW_TRY(cw_graph_node(c, r->judge_graph, CW_OP_LOSS_BCE, "loss", NULL, (const cw_value[]){logit, r->judge_target}, 2,
                       &r->judge_loss));
  CW_TRY(cw_graph_output(c, r->judge_graph, r->judge_loss));
  CW_TRY(cw_map_values(c, r->judge, r->judge_graph, "net/", &r->judge_map));
  cw_plan_options o = {0};
  o.mode = CW_TRAINING;
  o.batch = 2 * r->options->common.batch;
  return cw_plan_create(c, r->judge_graph, &o, &r->judging);
}

static cw_status build(run *r, const cw_graph *classifier) {
  cw_context *c = r->context;
  CW_TRY(cw_network_simulator(c, &r->options->network, &r->simulator));
  if (r->options->adversarial > 0)
    CW_TRY(build_judge(r));
  CW_TRY(cw_simulator_graph_create(c, r->options, r->simulator, classifier, r->judge, &r->g));
  CW_TRY(cw_map_values(c, r->simulator, r->g.graph, "forth/", &r->map));
  cw_plan_options o = {0};
  o.mode = CW_TRAINING;
  o.batch = r->options->common.batch;
  CW_TRY(cw_plan_create(c, r->g.graph, &o, &r->training));
  o.mode = CW_INFERENCE;
  CW_TRY(cw_plan_create(c, r->g.graph, &o, &r->evaluation));
  CW_TRY(cw_plan_create(c, classifier, &o, &r->classifier));
  o.mode = CW_TRAINING;
  CW_TRY(cw_plan_create(c, r->simulator, &o, &r->statistics));
  r->classifier_image = cw_graph_input_at(classifier, 0);
  for (int k = 0; k < r->g.logits; k++)
    r->classifier_logit[k] = cw_graph_output_at(classifier, k);
  r->labels = cw_allocate(c, (size_t)o.batch * 2, sizeof(float));
  return r->labels ? CW_OK : CW_ERROR_MEMORY;
}

/* Directions by the classifiers' own prediction: inject into what they call control, remove from what they call
 * patient.
 */
static void set_directions(run *r, cw_plan *plan) {
  for (int n = 0; n < r->options->common.batch; n++) {
    const float o = direction_of(r, n);
    for (int k = 0; k < r->g.logits; k++)
      cw_plan_data(plan, r->g.before[k])[n] = cw_plan_data(r->classifier, r->classifier_logit[k])[n];
    cw_plan_data(plan, r->g.direction)[n] = o;
    cw_plan_data(plan, r->g.reverse)[n] = -o;
    if (r->g.real != CW_NONE)
      cw_plan_data(plan, r->g.real)[n] = 1;
  }
}

/* ---- one step ---- */

/* Means over a batch. */
typedef struct terms {
  double shift; /* in the objective's units, mean over classifiers */
  double cycle, smooth, magnitude, identity, adversarial;
  double reached[CW_MAX_CLASSIFIERS]; /* logit shift over the margin */
} terms;

/* The constrained objective counts the shift in units of the margin, so that the scale of a classifier's logits does
 * not matter.  Classifiers share the weight. */
static double shift_unit(const run *r, int k) {
  return (r->options->objective == CW_OBJECTIVE_PAPER ? 1 : SHIFT_WEIGHT / r->margin[k].distance) / r->g.logits;
}

/* (y' - y) in the wanted direction, as a share of the margin. */
static double share_reached(const run *r, const cw_plan *plan, int k, int n) {
  const double o = cw_plan_data(plan, r->g.direction)[n];
  return o * (cw_plan_data(plan, r->g.logit[k])[n] - cw_plan_data(plan, r->g.before[k])[n]) / r->margin[k].distance;
}

/* Means of the losses over the first `count` samples of the batch. */
static terms read_terms(const run *r, const cw_plan *plan, int count) {
  terms t = {0};
  for (int n = 0; n < count; n++) {
    const double w = 1.0 / count;
    for (int k = 0; k < r->g.logits; k++) {
      t.shift += w * shift_unit(r, k) * cw_plan_data(plan, r->g.shift[k])[n];
      t.reached[k] += w * share_reached(r, plan, k, n);
    }
    t.cycle += w * cw_plan_data(plan, r->g.cycle)[n];
    t.smooth += w * 0.5 * (cw_plan_data(plan, r->g.smooth)[n] + cw_plan_data(plan, r->g.smooth_back)[n]);
    if (r->g.magnitude != CW_NONE)
      t.magnitude += w * 0.5 * (cw_plan_data(plan, r->g.magnitude)[n] + cw_plan_data(plan, r->g.magnitude_back)[n]);
    if (r->g.identity != CW_NONE)
      t.identity += w * cw_plan_data(plan, r->g.identity)[n];
    if (r->g.adversarial != CW_NONE)
      t.adversarial += w * cw_plan_data(plan, r->g.adversarial)[n];
  }
  return t;
}

static void seed(const cw_plan *plan, cw_value loss, int count, double weight) {
  for (int n = 0; loss != CW_NONE && n < count; n++)
    cw_plan_gradient(plan, loss)[n] = (float)(weight / count);
}

/* Logarithm of a classifier's weight of the shift in a direction. */
static double *log_weight(run *r, int k, int side) {
  return &r->trainer.extra[2 * k + side];
}

/* The weights follow the constraint. */
static void update_multipliers(run *r) {
  if (r->options->objective == CW_OBJECTIVE_PAPER)
    return;
  for (int k = 0; k < r->g.logits; k++) {
    double missed[2] = {0, 0};
    int count[2] = {0, 0};
    for (int n = 0; n < r->options->common.batch; n++) {
      const int side = cw_plan_data(r->training, r->g.direction)[n] > 0 ? INJECT : REMOVE;
      missed[side] += 1 - share_reached(r, r->training, k, n);
      count[side]++;
    }
    for (int side = 0; side < 2; side++) {
      if (!count[side])
        continue;
      const double relative = missed[side] / count[side];
      double *weight = log_weight(r, k, side);
      *weight += 0.05 * (relative > 1 ? 1 : relative < -1 ? -1 : relative);
      *weight = *weight > 3 ? 3 : *weight < -3 ? -3 : *weight;
    }
  }
}

static void seed_losses(run *r, bool cycle) {
  const int batch = r->options->common.batch;
  const cw_plan *plan = r->training;
  for (int k = 0; k < r->g.logits; k++) {
    for (int n = 0; n < batch; n++) {
      const int side = cw_plan_data(plan, r->g.direction)[n] > 0 ? INJECT : REMOVE;
      cw_plan_gradient(plan, r->g.shift[k])[n] = (float)(exp(*log_weight(r, k, side)) * shift_unit(r, k) / batch);
    }
    memset(cw_plan_gradient(plan, r->g.logit[k]), 0, (size_t)batch * sizeof(float));
  }
  seed(plan, r->g.cycle, batch, cycle ? r->options->cycle : 0);
  seed(plan, r->g.smooth, batch, r->options->smoothness * (cycle ? 0.5 : 1));
  seed(plan, r->g.smooth_back, batch, cycle ? r->options->smoothness * 0.5 : 0);
  seed(plan, r->g.magnitude, batch, r->options->magnitude * (cycle ? 0.5 : 1));
  seed(plan, r->g.magnitude_back, batch, cycle ? r->options->magnitude * 0.5 : 0);
  seed(plan, r->g.identity, batch, r->options->identity);
  seed(plan, r->g.adversarial, batch, r->options->adversarial);
  if (r->judge)
    memset(cw_plan_gradient(plan, r->g.simulated), 0, (size_t)batch * r->batches.samples * sizeof(float));
}

/* The discriminator learns to tell scans (1) from simulated scans (0). */
static void train_judge(run *r) {
  const size_t count = (size_t)r->options->common.batch * r->batches.samples;
  float *in = cw_plan_data(r->judging, r->judge_image);
  memcpy(in, cw_plan_data(r->training, r->g.image), count * sizeof(float));
  memcpy(in + count, cw_plan_data(r->training, r->g.simulated), count * sizeof(float));
  const int batch = 2 * r->options->common.batch;
  for (int n = 0; n < batch; n++)
    cw_plan_data(r->judging, r->judge_target)[n] = n < batch / 2;
  cw_plan_set_step(r->judging, (uint64_t)r->trainer.step);
  cw_plan_forward(r->judging);
  seed(r->judging, r->judge_loss, batch, 1);
  cw_plan_backward(r->judging);
  r->judge_trainer.step = r->trainer.step;
  cw_trainer_adam(&r->judge_trainer, r->judging, r->judge_map, r->options->common.learning_rate,
                  cw_context_threads(r->context));
}

static cw_status train_step(run *r, terms *t) {
  cw_plan *plan = r->training;
  const int batch = r->options->common.batch, step = r->trainer.step;
  cw_batches_draw(&r->batches, (uint64_t)step, CW_DRAW_PLAIN, cw_plan_data(plan, r->g.image), r->labels);
  classify(r, cw_plan_data(plan, r->g.image));
  set_directions(r, plan);
  cw_plan_set_step(plan, (uint64_t)step);
  cw_plan_forward(plan);
  *t = read_terms(r, plan, batch);
  if (!isfinite(t->shift + t->cycle + t->smooth))
    return cw_fail(r->context, CW_ERROR_NUMERIC, "training a simulator: the loss is not finite at step %d", step + 1);
  seed_losses(r, step >= r->options->cycle_from);
  cw_plan_backward(plan);
  cw_trainer_adam(&r->trainer, plan, r->map, r->options->common.learning_rate, cw_context_threads(r->context));
  if (r->judge)
    train_judge(r);
  update_multipliers(r);
  r->trainer.step++;
  return CW_OK;
}

/* ---- evaluation ---- */

/* Running statistics of batch norm as the average over training scans, each in the direction that it is used in. */
static cw_status settle_statistics(run *r) {
  const cw_value image = cw_graph_input_at(r->simulator, 0), direction = cw_graph_input_at(r->simulator, 1);
  for (int k = 0; k < STATISTICS_BATCHES; k++) {
    CW_TRY(cw_trainer_alive(r->context, &r->trainer, stage));
    cw_batches_draw(&r->batches, (uint64_t)k, CW_DRAW_PLAIN, cw_plan_data(r->statistics, image), r->labels);
    classify(r, cw_plan_data(r->statistics, image));
    for (int n = 0; n < r->options->common.batch; n++)
      cw_plan_data(r->statistics, direction)[n] = direction_of(r, n);
    cw_plan_set_step(r->statistics, (uint64_t)k);
    cw_plan_forward(r->statistics);
  }
  return CW_OK;
}

static cw_status evaluate(run *r, terms *sum) {
  *sum = (terms){0};
  const int total = r->split->validation_count, batch = r->options->common.batch;
  for (int i = 0; i < total; i += batch) {
    const int n = total - i < batch ? total - i : batch;
    float *in = cw_plan_data(r->evaluation, r->g.image);
    CW_TRY(cw_trainer_alive(r->context, &r->trainer, stage));
    for (int k = 0; k < batch; k++)
      memcpy(in + (size_t)k * r->batches.samples,
             r->dataset->samples + (size_t)r->split->validation[i + (k < n ? k : 0)] * r->batches.samples,
             r->batches.samples * sizeof(float));
    classify(r, in);
    set_directions(r, r->evaluation);
    cw_plan_forward(r->evaluation);
    const terms part = read_terms(r, r->evaluation, n);
    const double w = (double)n / total;
    sum->shift += w * part.shift;
    sum->cycle += w * part.cycle;
    sum->smooth += w * part.smooth;
    sum->magnitude += w * part.magnitude;
    for (int k = 0; k < r->g.logits; k++)
      sum->reached[k] += w * part.reached[k];
  }
  return CW_OK;
}

static cw_status loop(run *r) {
  const cw_training_options *o = &r->options->common;
  bool stop = o->patience > 0 && r->trainer.stale >= o->patience;
  while (r->trainer.step < o->steps && !stop) {
    CW_TRY(cw_trainer_progress(r->context, &r->trainer, stage));
    terms t;
    CW_TRY(train_step(r, &t));
    if (r->trainer.step % o->evaluate_every && r->trainer.step < o->steps)
      continue;
    terms v;
    CW_TRY(settle_statistics(r));
    CW_TRY(evaluate(r, &v));
    double loss =
        v.shift + r->options->cycle * v.cycle + r->options->smoothness * v.smooth + r->options->magnitude * v.magnitude;
    double logit_shift = 0;
    double weight[2] = {0, 0};
    for (int k = 0; k < r->g.logits; k++) {
      /* A smaller warp that misses the margin is no answer to the constrained problem. */
      if (r->options->objective == CW_OBJECTIVE_CONSTRAINED && v.reached[k] < REACHED)
        loss += MISSED * (REACHED - v.reached[k]);
      logit_shift += v.reached[k] * r->margin[k].distance / r->g.logits;
      for (int side = 0; side < 2; side++)
        weight[side] += exp(*log_weight(r, k, side)) / r->g.logits;
    }
    cw_trainer_evaluated(&r->trainer, loss, &stop);
    CW_TRY(cw_trainer_log(r->context, &r->trainer, "%d\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\n",
                          r->trainer.step, t.shift, t.cycle, t.smooth, loss, v.shift, logit_shift, v.cycle, v.smooth,
                          weight[INJECT], weight[REMOVE]));
    CW_TRY(cw_trainer_save(r->context, &r->trainer));
  }
  return cw_progress(r->context, stage, 1);
}

static cw_status check(cw_context *context, const cw_dataset *dataset, const cw_split *split,
                       const cw_graph *classifier, const cw_simulator_training_options *o) {
  CW_TRY(cw_training_check(context, dataset, split, &o->common));
  const int *size = dataset->preprocessing.grid.size, side = o->network.size;
  if (size[0] != side || size[1] != side || size[2] != side)
    return cw_fail(context, CW_ERROR_ARGUMENT, "training a simulator: scans of %d x %d x %d, a network of size %d",
                   size[0], size[1], size[2], side);
  const cw_shape want = CW_SHAPE(CW_BATCH, 1, side, side, side), one = CW_SHAPE(CW_BATCH, 1);
  const int logits = cw_graph_output_count(classifier);
  bool fits = cw_graph_input_count(classifier) == 1 && logits > 0 && logits <= CW_MAX_CLASSIFIERS &&
              cw_shape_equal(cw_value_shape(classifier, cw_graph_input_at(classifier, 0)), &want);
  for (int k = 0; fits && k < logits; k++)
    fits = cw_shape_equal(cw_value_shape(classifier, cw_graph_output_at(classifier, k)), &one);
  if (!fits)
    return cw_fail(context, CW_ERROR_SHAPE,
                   "training a simulator: expected a classifier of one image N x 1 x %d x %d x %d and one logit (or up "
                   "to %d of them)",
                   side, side, side, CW_MAX_CLASSIFIERS);
  if (o->squarings < 0 || o->squarings > 12 || o->smoothness < 0 || o->magnitude < 0 || o->cycle < 0 ||
      o->identity < 0 || o->adversarial < 0 || !(o->strain > 0) || o->margin < 0)
    return cw_fail(context, CW_ERROR_ARGUMENT,
                   "training a simulator: expected 0..12 squarings, a strain above 0, and weights and margin >= 0");
  return CW_OK;
}

static uint64_t fingerprint(const run *r, const cw_graph *classifier) {
  const cw_simulator_training_options *o = r->options;
  const double numbers[] = {(double)o->field,
                            (double)o->objective,
                            (double)o->squarings,
                            o->margin,
                            o->smoothness,
                            (double)o->norm,
                            o->strain,
                            o->magnitude,
                            o->cycle,
                            (double)o->cycle_from,
                            o->identity,
                            o->adversarial,
                            (double)o->network.size,
                            (double)o->network.taper_margin,
                            o->network.dropout,
                            (double)o->network.seed,
                            (double)o->network.route_by_direction_only};
  const uint64_t hash =
      cw_fingerprint(cw_fingerprint_run(r->context, r->dataset, r->split, &o->common), numbers, sizeof numbers);
  return cw_fingerprint_graph(hash, classifier);
}

/* The best weights; constrained: at the strength that reaches the goal. */
static cw_status finish(run *r, const cw_graph *classifier, double gain[2], cw_graph **simulator) {
  const cw_simulator_training_options *o = r->options;
  cw_trainer_restore_best(&r->trainer);
  if (o->objective == CW_OBJECTIVE_PAPER) {
    *simulator = r->simulator;
    r->simulator = NULL;
    return CW_OK;
  }
  const cw_gain_request request = {
      r->dataset,          r->split,  r->simulator, classifier,   r->classifier,  r->classifier_image,
      r->classifier_logit, r->margin, o->field,     o->squarings, o->common.batch};
  CW_TRY(cw_choose_gains(r->context, &request, gain));
  return cw_scale_field(r->context, r->simulator, gain, simulator);
}

cw_status cw_train_simulator(cw_context *context, const cw_dataset *dataset, const cw_split *split,
                             const cw_graph *classifier, const cw_simulator_training_options *options,
                             cw_graph **simulator, cw_training_summary *summary) {
  *simulator = NULL;
  CW_TRY(check(context, dataset, split, classifier, options));
  run r = {0};
  r.context = context;
  r.dataset = dataset;
  r.split = split;
  r.options = options;
  const double start = cw_seconds();
  cw_status status = cw_batches_create(context, dataset, split, &options->common, &r.batches);
  if (status == CW_OK)
    status = build(&r, classifier);
  if (status == CW_OK)
    status = choose_margins(&r);
  if (status == CW_OK)
    status = cw_trainer_create(context, r.simulator, &options->common, fingerprint(&r, classifier),
                               "step\ttraining_shift\ttraining_cycle\ttraining_smooth\tvalidation_loss\t"
                               "validation_shift\tvalidation_logit_shift\tvalidation_cycle\tvalidation_smooth\t"
                               "weight_inject\tweight_remove",
                               &r.trainer);
  if (status == CW_OK && r.judge) {
    status = cw_trainer_create(context, r.judge, &options->common, 0, "", &r.judge_trainer);
    r.trainer.companion = &r.judge_trainer;
  }
  if (status == CW_OK)
    status = cw_trainer_resume(context, &r.trainer);
  if (status == CW_OK)
    status = loop(&r);
  double gain[2] = {1, 1};
  if (status == CW_OK)
    status = finish(&r, classifier, gain, simulator);
  if (status == CW_OK && summary) {
    *summary = (cw_training_summary){.steps = r.trainer.step,
                                     .best_step = r.trainer.best_step,
                                     .best_loss = r.trainer.best_loss,
                                     .seconds = cw_seconds() - start,
                                     .gain = {gain[0], gain[1]}};
    memcpy(summary->margin, r.margin, sizeof summary->margin);
  }
  run_free(&r);
  return status;
}
