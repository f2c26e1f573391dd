/* The two trainers: the classifier, and the simulator of a frozen classifier. */
#ifndef COUNTERWARP_TRAINING_H
#define COUNTERWARP_TRAINING_H

#include "counterwarp/cohort.h"
#include "counterwarp/model.h"
#include "counterwarp/networks.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Scans of a dataset used for training, and scans kept back to decide when to stop (indices into the dataset). */
typedef struct cw_split {
  const int *train, *validation;
  int train_count, validation_count;
} cw_split;

typedef struct cw_training_options {
  int steps, batch;
  double learning_rate, weight_decay;
  int evaluate_every; /* steps between evaluations; a checkpoint is written at each */
  int patience;       /* evaluations without a better validation loss before stopping; 0: never stop early */
  int wait;           /* classifier: steps that may be added, at the highest learning rate, while the scans kept back
                       * stay at chance (loss above 0.6; ln 2 is a coin's); after each quarter of them the weights are
                       * drawn anew, with a warning, while there is time.  0: none.  Small effects are found late, and
                       * those found while the rate falls are found in part */
  bool flip;          /* classifier: left-right flips (first index axis) as augmentation; brains, not spheres */
  double erase;       /* classifier: share of scans that lose a random box in the second half of the steps, so that no
                       * single place carries the decision (random erasing, Zhong et al. 2017, arXiv 1708.04896); from
                       * the first step on, a small effect is often not learned at all */
  const cw_graph *start; /* classifier: a network whose parameters of the same name and shape are where training starts;
                          * NULL: all are random */
  uint64_t seed;
  const char *checkpoint; /* file for the resumable state; NULL: none */
  bool resume;       /* continue from the checkpoint if it exists; the result has the same bits as without a stop */
  const char *curve; /* TSV of the learning curves, rewritten whole at each evaluation; NULL: none */
} cw_training_options;

/* How far a classifier's logit has to go.  A scan is there once its logit has moved by `distance`, or stands where the
 * other group's median stands. */
typedef struct cw_margin {
  double distance;
  double median[2]; /* of controls and of patients; the wanted side's infinity where a group is missing */
} cw_margin;

/* How much of its way a logit has gone from before to after: 1 at the goal.  direction: above 0 inject, below 0 remove.
 */
double cw_margin_share(const cw_margin *margin, double direction, double before, double after);

typedef struct cw_training_summary {
  int steps, best_step;
  double best_loss; /* validation loss of the weights that were kept */
  double seconds;
  cw_margin margin[CW_MAX_CLASSIFIERS]; /* simulator: what was asked for, of each classifier */
  double gain[2];                       /* simulator: what the field was scaled by for inject and remove */
} cw_training_summary;

/* Defaults: 800 steps of Adam 5e-4 (one cycle), up to 1600 more at chance, weight decay 1e-4, batch 16. */
cw_training_options cw_classifier_training_defaults(int size);
/* Trains a classifier, from scratch or from options.start, on balanced batches; BCE with logits.  graph is created:
 * input "image", output "logit", inference-ready.  Cancelling through progress leaves the checkpoint and returns
 * CW_ERROR_CANCELLED. */
cw_status cw_train_classifier(cw_context *context, const cw_dataset *dataset, const cw_split *split,
                              const cw_training_options *options, cw_graph **graph, cw_training_summary *summary);

typedef enum cw_objective {
  CW_OBJECTIVE_CONSTRAINED, /* least smoothness + magnitude + cycle subject to the margin: a multiplier for each
                             * direction */
  CW_OBJECTIVE_PAPER        /* the plain weighted sum */
} cw_objective;

typedef enum cw_smoothness {                          /* LOSS_SMOOTH's norm */
                             CW_SMOOTH_ISOTROPIC = 0, /* by the whole strain: no axis is preferred */
                             CW_SMOOTH_ABSOLUTE = 1,  /* the paper's: each component and axis apart */
                             CW_SMOOTH_SQUARED = 2
} cw_smoothness;

typedef struct cw_simulator_training_options {
  cw_training_options common; /* Adam 2e-4, weight decay 1e-4 */
  cw_simulator_options network;
  cw_field_model field;
  cw_objective objective;
  int squarings;     /* of the velocity, in training */
  double margin;     /* logit shift b; 0: from the classifier's logits */
  double smoothness; /* weight of LOSS_SMOOTH on the network's output */
  cw_smoothness norm;
  double strain;      /* isotropic: change of the field from a voxel to the next below which the cost is quadratic */
  double magnitude;   /* weight of LOSS_MAGNITUDE on the network's output (voxels squared) */
  double cycle;       /* weight of the cycle's mean squared error */
  int cycle_from;     /* first step with the cycle term */
  double identity;    /* weight of the identity loss; 0: off */
  double adversarial; /* weight of the non-saturating adversarial loss; 0: off */
} cw_simulator_training_options;

/* Defaults of an objective.  Constrained: velocity, isotropic smoothness 300 (strain 0.1), magnitude 500, cycle 300,
 * the margin from the classifier's own logits.  Paper: displacement, absolute smoothness 1e-3, cycle 1, margin 12.5. */
cw_simulator_training_options cw_simulator_training_defaults(int size, cw_objective objective);
/* Trains a simulator for a frozen classifier graph, or for several at once (cw_network_ensemble): all their logits are
 * moved, each by its own margin.  The constrained objective holds the mean shift at the margin; afterwards the field is
 * scaled, in each direction by the least factor (0.5 to 2) with which 98 % of the training scans and of those kept back
 * reach their goal (cw_margin), so that this is what strength 1 means.  simulator is created: inputs "image",
 * "direction"; output "field". */
cw_status cw_train_simulator(cw_context *context, const cw_dataset *dataset, const cw_split *split,
                             const cw_graph *classifier, const cw_simulator_training_options *options,
                             cw_graph **simulator, cw_training_summary *summary);

/* One graph for a simulator's file: field network and classifier side by side (copies), as model.h describes.  The
 * logit of several classifiers is the sum of theirs times shares; NULL: their mean. */
cw_status cw_simulator_join(cw_context *context, const cw_graph *simulator, const cw_graph *classifier,
                            const double *shares, cw_field_model field, cw_graph **graph);
/* Shares with which classifiers count alike, each logit in units of its margin: mean margin / (margin * count). */
void cw_margin_shares(const cw_margin *margins, int count, double *shares);

#ifdef __cplusplus
}
#endif
#endif
