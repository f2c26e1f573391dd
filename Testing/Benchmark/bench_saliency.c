/* One saliency method on the reference classifier: bench_saliency SIZE METHOD
 *
 * Milliseconds a map, forward pass included; memory of its plans; the process's largest resident memory. */
#include "counterwarp/networks.h"
#include "counterwarp/saliency.h"
#include "measure.h"

typedef struct job {
  cw_context *context;
  cw_saliency *saliency;
  float *image, *map;
} job;

static void run(void *argument) {
  job *j = argument;
  const cw_saliency_output output = {0, false};
  cw_saliency_note note;
  need(j->context, cw_saliency_maps(j->context, j->saliency, j->image, output, &j->map, &note));
}

int main(int argc, char **argv) {
  const int size = argc == 3 ? atoi(argv[1]) : 0;
  if (size < 1) {
    fprintf(stderr, "usage: bench_saliency SIZE METHOD\n");
    return 2;
  }
  job j = {.context = open_context()};
  cw_graph *graph;
  cw_saliency_request request;
  char name[96], memory[128];
  need(j.context, cw_saliency_parse(j.context, argv[2], &request));
  need(j.context, cw_network_classifier(j.context, size, 1, &graph));
  need(j.context, cw_saliency_create(j.context, graph, &request, 1, &j.saliency));
  const size_t samples = (size_t)size * size * size;
  j.image = cw_allocate(j.context, samples, sizeof(float));
  j.map = cw_allocate(j.context, samples, sizeof(float));
  fill(j.image, samples, 3, 0, 1);
  snprintf(name, sizeof name, "saliency %s, %d^3", argv[2], size);
  row(name, 1e3 * shortest(run, &j, 2), "ms");
  snprintf(memory, sizeof memory, "%s, planned memory", name);
  row(memory, (double)cw_saliency_bytes(j.saliency) / 1048576, "MiB");
  snprintf(memory, sizeof memory, "%s, peak memory", name);
  row(memory, peak_memory(), "MiB");
  cw_release(j.context, j.image);
  cw_release(j.context, j.map);
  cw_saliency_free(j.context, j.saliency);
  cw_graph_free(j.context, graph);
  cw_context_free(j.context);
  return 0;
}
