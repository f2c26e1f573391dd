/* Internal: the graph that a simulator is trained with. */
#ifndef COUNTERWARP_TRAINING_SIMULATOR_GRAPH_H
#define COUNTERWARP_TRAINING_SIMULATOR_GRAPH_H

#include "counterwarp/training.h"

/* x, o -> v1 = S(x, o) -> u1 -> x1 = x warped -> y1 = f(x1); v2 = S(x1, -o) -> u2 -> x2; and the losses, one value a
 * sample each.  f is one classifier, or several: one logit and one shift each. CW_NONE marks a loss that is switched
 * off. */
typedef struct cw_simulator_graph {
  cw_graph *graph;
  cw_value image, direction, reverse;  /* inputs */
  int logits;                          /* classifiers */
  cw_value before[CW_MAX_CLASSIFIERS]; /* inputs: f(x) */
  cw_value simulated;                  /* x1 */
  cw_value logit[CW_MAX_CLASSIFIERS];  /* y1 */
  cw_value shift[CW_MAX_CLASSIFIERS];
  cw_value cycle, smooth, smooth_back, magnitude, magnitude_back, identity, adversarial;
  cw_value real; /* input: the adversarial target, 1 */
} cw_simulator_graph;

/* classifier: its outputs are logits.  discriminator: NULL unless the adversarial loss is wanted.  All three networks
 * must outlive the graph. */
cw_status cw_simulator_graph_create(cw_context *context, const cw_simulator_training_options *options,
                                    const cw_graph *simulator, const cw_graph *classifier,
                                    const cw_graph *discriminator, cw_simulator_graph *result);

#endif
