/* Internal: the two passes of batch norm and of the chains that start with it; see norm_act.c. */
#ifndef COUNTERWARP_LAYERS_NORM_ACT_H
#define COUNTERWARP_LAYERS_NORM_ACT_H

#include "Graph/operator.h"

/* Inputs. */
enum { X, SCALE, BIAS, MEAN, VARIANCE, SKIP };

typedef struct cw_norm {
  int batch, channels, depth, height, width; /* of x; a rank below 5 counts as width */
  size_t volume;
  float slope; /* below zero; 1: no activation */
  bool pool, up;
} cw_norm;

typedef struct cw_norm_chain {
  float factor, offset; /* y = factor x + offset */
} cw_norm_chain;

/* plain: batch norm alone; otherwise the node's attributes say what follows. */
cw_norm cw_norm_of(const cw_call *call, bool plain);
/* Scale and offset of channel c. */
cw_norm_chain cw_norm_chain_of(const cw_call *call, const float *mean, const float *inverse_sd, int c);

void cw_norm_forward(const cw_call *call, bool plain);
void cw_norm_backward(const cw_call *call, bool plain);

#endif
