/* Internal: steps of a plan and the memory they share. */
#ifndef COUNTERWARP_GRAPH_PLAN_INTERNAL_H
#define COUNTERWARP_GRAPH_PLAN_INTERNAL_H

#include "Graph/graph_internal.h"

/* One node, or several that run as one kernel. */
typedef struct cw_step {
  const cw_operator_info *info;
  cw_attributes attributes;
  cw_value inputs[CW_MAX_INPUTS];
  int input_count;
  cw_value output;
  int node;          /* index of the last node it covers: the stream of its random numbers */
  bool in_place;     /* the output takes the memory of input 0 */
  bool forward_only; /* no gradient passes through it */
  int pass_gradient; /* input whose gradient is the output's gradient itself, or CW_NONE */
  size_t saved_bytes;
  int saved; /* buffer index, or CW_NONE */
  int again; /* buffer of its output computed a second time, just before the first backward step that reads it, or
              * CW_NONE: cheap for a wide output of few inputs, whose memory is then free in between */
  cw_call forward, backward;
} cw_step;

/* A piece of the arena, in use from step time `first` to `last`.  Forward step s runs at time s, its backward at
 * 2 * steps - 1 - s. */
typedef struct cw_buffer {
  size_t bytes, offset;
  int first, last;
} cw_buffer;

struct cw_plan {
  const cw_graph *graph;
  cw_mode mode;
  int batch, threads;
  uint64_t seed, step_number;
  cw_step *steps;
  int step_count;
  cw_buffer *buffers;
  int buffer_count;
  int *data_buffer, *gradient_buffer; /* [values]: buffer index or CW_NONE */
  int *backward_buffer;               /* [values]: where the backward pass finds it: data_buffer but for `again` */
  bool *kept;                         /* [values]: readable through cw_plan_data, with a gradient of their own */
  bool *visible;                      /* [values]: readable; nothing is fused over them */
  bool keep_values;                   /* then every activation is, too */
  float **parameter_gradient;         /* [values] */
  float *parameter_block;
  char *arena;
  void *workspace;
  size_t arena_bytes, workspace_bytes, parameter_bytes;
};

static inline void *cw_buffer_at(const cw_plan *plan, int buffer) {
  return buffer == CW_NONE ? NULL : plan->arena + plan->buffers[buffer].offset;
}

/* Batch norm, [ReLU | LeakyReLU], [MaxPool 2 | nearest Resize 2, [Add]] as one kernel; see Layers/norm_act.c.
 * Inputs: x, scale, shift, mean, variance, [skip].  attributes.alpha: slope below zero (1: no activation);
 * kernel[0] == 2: pool; scale[0] == 2: resize. */
extern const cw_operator_info cw_layer_norm_act;

/* The node that computes a value; the needed one that reads it, CW_NONE unless it is read once; how often it is. */
typedef struct cw_value_ends {
  int producer, reader, readers;
} cw_value_ends;

/* The steps for the nodes marked in needed[]; with fuse, neighbours become one step where no kept value lies between.
 * steps has room for node_count entries; covered is scratch of node_count, ends of value_count.  Returns the number of
 * steps. */
int cw_steps_build(const cw_graph *graph, const bool *needed, const bool *kept, bool fuse, bool *covered,
                   cw_value_ends *ends, cw_step *steps);

/* Targets and running statistics take no gradient. */
bool cw_step_takes_gradient(const cw_step *step, int input);

/* Gives each step's output, saved numbers and gradients a buffer, in use as long as a later step reads it.
 * keep_values: every activation stays until the end; keep_all: gradients too; needs[values]: wants a gradient.  Sets
 * forward_only of steps whose gradient nobody asks for. */
void cw_buffers_assign(cw_plan *plan, bool keep_values, bool keep_all, const bool *needs);

/* Sets the buffers' offsets so that no two that live at the same time overlap; returns the arena's size.
 * order: scratch of buffer_count ints. */
size_t cw_buffers_place(cw_buffer *buffers, int count, int *order);

#endif
