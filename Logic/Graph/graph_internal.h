/* Internal: what graph.c and plan.c share. */
#ifndef COUNTERWARP_GRAPH_INTERNAL_H
#define COUNTERWARP_GRAPH_INTERNAL_H

#include "Graph/operator.h"

typedef struct cw_value_record {
  char *name;
  cw_value_kind kind;
  cw_shape shape;
  float *data; /* parameters and buffers */
  bool owned;  /* data belong to this graph */
} cw_value_record;

typedef struct cw_node_record {
  cw_operator op;
  char *name;
  cw_attributes attributes;
  cw_value inputs[CW_MAX_INPUTS];
  int input_count;
  cw_value output;
} cw_node_record;

struct cw_graph {
  cw_value_record *values;
  cw_node_record *nodes;
  cw_value *inputs, *outputs;
  int value_count, value_capacity, node_count, node_capacity, input_count, input_capacity, output_count,
      output_capacity;
};

#endif
