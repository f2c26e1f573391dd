/* The reference networks, as graphs. */
#ifndef COUNTERWARP_NETWORKS_H
#define COUNTERWARP_NETWORKS_H

#include "counterwarp/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Classifier: input "image" [N,1,size,size,size], output "logit" [N,1].  Xavier uniform convolutions, PyTorch's default
 * for fully connected layers, drawn from seed. */
cw_status cw_network_classifier(cw_context *context, int size, uint64_t seed, cw_graph **graph);

typedef struct cw_simulator_options {
  int size;
  bool route_by_direction_only; /* routing weights from o alone */
  float dropout;                /* routing dropout, 0.1 */
  int taper_margin;             /* velocity: voxels over which v falls to zero at the box; 0: no taper */
  uint64_t seed;
} cw_simulator_options;

/* Simulator: inputs "image" [N,1,size^3] and "direction" [N,1]; output "field" [N,3,size^3] in voxels. */
cw_status cw_network_simulator(cw_context *context, const cw_simulator_options *options, cw_graph **graph);

/* Number of poolings for a size: floor(log2(size / 4)).  CW_ERROR_ARGUMENT unless 32..128 and divisible by 16. */
cw_status cw_network_levels(cw_context *context, int size, int *levels);

#define CW_MAX_CLASSIFIERS 8

/* Classifiers of the same input side by side (copies): input "image", their logits as outputs in order.
 * CW_ERROR_SHAPE unless each has one image, as the first has, and one logit [N,1]; CW_ERROR_ARGUMENT for none or more
 * than CW_MAX_CLASSIFIERS. */
cw_status cw_network_ensemble(cw_context *context, const cw_graph *const *classifiers, int count, cw_graph **graph);

#ifdef __cplusplus
}
#endif
#endif
