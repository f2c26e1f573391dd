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

/* One place of the table of names; value CW_NONE: free. */
typedef struct cw_name_slot {
  unsigned hash;
  cw_value value;
} cw_name_slot;

struct cw_graph {
  cw_value_record *values;
  cw_node_record *nodes;
  cw_value *inputs, *outputs;
  cw_name_slot *slots; /* [slot_count], a power of two: values by name, at most half full */
  int slot_count, value_count, value_capacity, node_count, node_capacity, input_count, input_capacity, output_count,
      output_capacity;
};

/* names.c: room for one more name; the name of a value that was added; all names anew, after some have changed. */
cw_status cw_names_reserve(cw_context *context, cw_graph *graph);
void cw_names_add(cw_graph *graph, cw_value value);
void cw_names_fill(cw_graph *graph);

#endif
