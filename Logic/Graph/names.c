/* Values by name, so that building a graph costs no more than its length however many names a file has. */
#include <string.h>

#include "Graph/graph_internal.h"
#include "Tensor/fingerprint.h"

static unsigned hash_of(const char *name) {
  return (unsigned)cw_fingerprint(CW_FINGERPRINT_START, name, strlen(name));
}

/* Where the name stands, or the free slot that it would take. */
static int slot_of(const cw_graph *graph, const char *name, unsigned hash) {
  int slot = (int)(hash & (unsigned)(graph->slot_count - 1));
  while (graph->slots[slot].value != CW_NONE &&
         (graph->slots[slot].hash != hash || strcmp(graph->values[graph->slots[slot].value].name, name) != 0))
    slot = (slot + 1) & (graph->slot_count - 1);
  return slot;
}

cw_value cw_graph_find(const cw_graph *graph, const char *name) {
  return graph->slot_count ? graph->slots[slot_of(graph, name, hash_of(name))].value : CW_NONE;
}

void cw_names_fill(cw_graph *graph) {
  for (int i = 0; i < graph->slot_count; i++)
    graph->slots[i].value = CW_NONE;
  for (int v = 0; v < graph->value_count; v++)
    cw_names_add(graph, v);
}

void cw_names_add(cw_graph *graph, cw_value value) {
  const unsigned hash = hash_of(graph->values[value].name);
  cw_name_slot *slot = &graph->slots[slot_of(graph, graph->values[value].name, hash)];
  slot->hash = hash;
  slot->value = value;
}

cw_status cw_names_reserve(cw_context *context, cw_graph *graph) {
  if (2 * (graph->value_count + 1) <= graph->slot_count)
    return CW_OK;
  const int larger = graph->slot_count ? 2 * graph->slot_count : 64;
  cw_name_slot *slots = cw_allocate(context, (size_t)larger, sizeof *slots);
  if (!slots)
    return CW_ERROR_MEMORY;
  cw_release(context, graph->slots);
  graph->slots = slots;
  graph->slot_count = larger;
  cw_names_fill(graph);
  return CW_OK;
}
