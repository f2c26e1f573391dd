/* Internal: what the two trainers share. */
#ifndef COUNTERWARP_TRAINING_INTERNAL_H
#define COUNTERWARP_TRAINING_INTERNAL_H

#include "counterwarp/random.h"
#include "counterwarp/training.h"
#include "Tensor/fingerprint.h"

/* ---- batches ---- */

/* Streams of random numbers of a training run: keyed by seed and step, so that a resumed run draws the same. */
enum { CW_STREAM_PICK = 1, CW_STREAM_AUGMENT = 2, CW_STREAM_NOISE = 3, CW_STREAM_DROPOUT = 4 };

typedef struct cw_batches {
  const cw_dataset *dataset;
  const cw_split *split;
  uint64_t seed;
  int batch;
  bool flip;
  double erase;
  size_t samples; /* of one scan */
  float *noise;   /* bank of standard normal numbers */
  int *control, *patient, *scratch;
  int control_count, patient_count;
} cw_batches;

/* CW_ERROR_ARGUMENT unless both groups are among the training scans. */
cw_status cw_batches_create(cw_context *context, const cw_dataset *dataset, const cw_split *split,
                            const cw_training_options *options, cw_batches *batches);
void cw_batches_free(cw_context *context, cw_batches *batches);
/* Scans as they are; with shifts by up to one voxel, left-right flips (if asked for), gain within 10 % and noise of 2 %
 * of the scale; or with boxes set to the mean besides. */
typedef enum cw_draw { CW_DRAW_PLAIN, CW_DRAW_AUGMENTED, CW_DRAW_ERASED } cw_draw;
/* A balanced batch for a step: images [batch][...], labels 0/1. */
void cw_batches_draw(const cw_batches *batches, uint64_t step, cw_draw draw, float *images, float *labels);

/* ---- the margin ---- */

typedef struct cw_margin_request {
  const cw_dataset *dataset;
  const cw_split *split;
  cw_plan *plan; /* the classifier's, inference */
  cw_value image, logit;
  int batch; /* the plan's */
} cw_margin_request;

/* The groups' median logits and their distance, unless that is given (margin->distance above 0): a scan moved so far
 * looks like a typical member of the other group.  Of training scans or of scans kept back (where those are three or
 * more of each group), whichever is less: on scans that it has learned, a classifier's logits are inflated.  Where the
 * groups overlap, so that the distance is below the logits' standard deviation inside the groups (of either set), it is
 * that deviation, and no median is a goal.  CW_ERROR_NUMERIC for logits that are not finite, CW_ERROR_ARGUMENT where
 * they do not differ. */
cw_status cw_choose_margin(cw_context *context, const cw_margin_request *request, cw_margin *margin);

/* The direction for scan n of a plan's batch: 1 (inject) where the classifiers, each in units of its margin, together
 * say control; -1 (remove) where patient. */
double cw_direction_of(const cw_plan *plan, const cw_value *logit, const cw_margin *margin, int logits, int n);

typedef struct cw_gain_request {
  const cw_dataset *dataset;
  const cw_split *split;
  const cw_graph *simulator, *classifier;
  cw_plan *plan; /* the classifier's, inference */
  cw_value image;
  const cw_value *logit;
  const cw_margin *margin; /* one for each of the classifier's outputs */
  cw_field_model field;
  int squarings, batch; /* batch: the plan's */
} cw_gain_request;

/* The least factors of the field, for inject and remove, with which 98 % of the scans that the classifier puts on the
 * other side reach their goal; within 0.5 to 2, and 1 where there is no such scan.  At most 64 training scans a
 * direction are looked at. */
cw_status cw_choose_gains(cw_context *context, const cw_gain_request *request, double gain[2]);
/* The same network with its field times gain[0] for direction 1 and gain[1] for -1 (linear in between).  Parameters are
 * copied. */
cw_status cw_scale_field(cw_context *context, const cw_graph *simulator, const double gain[2], cw_graph **scaled);

/* ---- parameters, Adam, checkpoint, curves ---- */

typedef struct cw_trainer {
  struct cw_trainer *companion; /* saved in the same checkpoint: a discriminator; NULL if none */
  const cw_training_options *options;
  cw_graph *graph;       /* whose parameters are trained; buffers are saved with them */
  size_t values;         /* floats of all parameters and buffers, in the graph's order */
  float *first, *second; /* Adam's moments */
  float *best;           /* values at the best evaluation */
  double best_loss;
  int step, best_step, stale; /* steps done; evaluations since the best one */
  int waited;                 /* of the steps done, those for which the schedule stood still */
  int begun;                  /* step at which the weights were drawn */
  double extra[16];           /* the trainer's own state, such as multipliers */
  uint64_t fingerprint;       /* of the run: options and data; a checkpoint of another run is refused */
  char *curve;                /* text of the learning curves so far */
  size_t curve_length, curve_room;
} cw_trainer;

cw_status cw_trainer_create(cw_context *context, cw_graph *graph, const cw_training_options *options,
                            uint64_t fingerprint, const char *curve_header, cw_trainer *trainer);
void cw_trainer_free(cw_context *context, cw_trainer *trainer);
/* One Adam step (Kingma and Ba 2015; weight decay added to the gradient) with the plan's parameter gradients, for the
 * graph's parameters as the plan's graph knows them: map[v] is the plan's value of the graph's value v. */
void cw_trainer_adam(cw_trainer *trainer, const cw_plan *plan, const cw_value *map, double learning_rate, int threads);
/* Adds a line to the learning curves. */
cw_status cw_trainer_log(cw_context *context, cw_trainer *trainer, const char *format, ...) CW_PRINTF(3, 4);
/* Records an evaluation; keeps the values if the loss is the best.  *stop: patience is exhausted. */
void cw_trainer_evaluated(cw_trainer *trainer, double loss, bool *stop);
/* Checkpoint and curves, whole or not at all; nothing if the options name none. */
cw_status cw_trainer_save(cw_context *context, const cw_trainer *trainer);
/* Continues from the checkpoint if the options ask for it and the file exists. */
cw_status cw_trainer_resume(cw_context *context, cw_trainer *trainer);
/* Puts the best values into the graph. */
void cw_trainer_restore_best(cw_trainer *trainer);

/* Goes on over all parameters and buffers. */
uint64_t cw_fingerprint_graph(uint64_t hash, const cw_graph *graph);
/* Of everything that decides a run's bits but the number of threads. */
uint64_t cw_fingerprint_run(const cw_context *context, const cw_dataset *dataset, const cw_split *split,
                            const cw_training_options *options);

/* Learning rate at a step of the one-cycle schedule, and the first step at which it falls. */
double cw_one_cycle(double rate, int step, int steps);
int cw_one_cycle_top(int steps);

/* map[v] = the value of `graph` that stands for the value v of `network`, appended with `prefix`; CW_NONE without one.
 * The caller releases *map. */
cw_status cw_map_values(cw_context *context, const cw_graph *network, const cw_graph *graph, const char *prefix,
                        cw_value **map);

/* Seconds of a steady clock. */
double cw_seconds(void);

/* Reports progress; on cancelling saves the state first, so that the run can be resumed. */
cw_status cw_trainer_progress(cw_context *context, const cw_trainer *trainer, const char *stage);
/* The same between steps, while statistics are half replaced: saves nothing, so that the last state stands. */
cw_status cw_trainer_alive(cw_context *context, const cw_trainer *trainer, const char *stage);

/* CW_ERROR_ARGUMENT for unusable options or splits. */
cw_status cw_training_check(cw_context *context, const cw_dataset *dataset, const cw_split *split,
                            const cw_training_options *options);

#endif
