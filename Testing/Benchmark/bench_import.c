/* A classifier from elsewhere: bench_import NAME FILE OUTPUT D H W
 *
 * One image forward, and forward with the gradient to the image: milliseconds, and the largest resident memory above
 * that of the loaded network.  OUTPUT: as cw_output_choice_read takes it.  Each is measured in a process of its own. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counterwarp/onnx.h"
#include "measure.h"

typedef struct job {
  cw_plan *plan;
  bool gradient;
} job;

static void run(void *argument) {
  const job *j = argument;
  cw_plan_forward(j->plan);
  if (j->gradient)
    cw_plan_backward(j->plan);
}

/* A line of /proc/self/status in MiB: VmRSS, resident now, or VmHWM, the most since the last reset. */
static double memory(const char *key) {
  char line[128];
  double kib = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, key, strlen(key)))
      kib = atof(line + strlen(key) + 1);
  if (file)
    fclose(file);
  return kib / 1024;
}

/* Reading the file took memory too, which is given back by now. */
static void reset_peak(void) {
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (file) {
    fputs("5", file);
    fclose(file);
  }
}

static void measure(cw_context *context, const cw_model *model, const char *name, bool gradient) {
  char label[160];
  const char *what = gradient ? "forward and input gradient" : "forward";
  const cw_value image = cw_graph_input_at(model->graph, 0), logit = cw_graph_output_at(model->graph, 0);
  const cw_plan_options options = {.mode = gradient ? CW_INPUT_GRADIENT : CW_INFERENCE, .batch = 1};
  const double before = memory("VmRSS");
  reset_peak();
  job j = {NULL, gradient};
  need(context, cw_plan_create(context, model->graph, &options, &j.plan));
  fill(cw_plan_data(j.plan, image), cw_grid_samples(&model->preprocessing.grid), 3, 0, 1);
  if (gradient)
    *cw_plan_gradient(j.plan, logit) = 1;
  snprintf(label, sizeof label, "%s, %s", name, what);
  row(label, 1e3 * shortest(run, &j, 4), "ms");
  snprintf(label, sizeof label, "%s, %s, memory above the network", name, what);
  row(label, memory("VmHWM") - before, "MiB");
  cw_plan_free(context, j.plan);
}

static void work(char **argv, bool gradient) {
  cw_context *context = open_context();
  cw_preprocessing preprocessing = {0};
  cw_output_choice choice = cw_output_choice_default();
  cw_model model;
  for (int i = 0; i < 3; i++) {
    preprocessing.grid.size[2 - i] = atoi(argv[4 + i]);
    preprocessing.grid.to_world.m[i][i] = 1;
  }
  need(context, cw_output_choice_read(context, argv[3], &choice));
  need(context, cw_model_import(context, argv[2], &preprocessing, &choice, &model));
  measure(context, &model, argv[1], gradient);
  cw_model_free(context, &model);
  cw_context_free(context);
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: bench_import NAME FILE OUTPUT D H W\n");
    return 2;
  }
  for (int gradient = 0; gradient < 2; gradient++) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
      work(argv, gradient);
      return 0;
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status)
      return 1;
  }
  return 0;
}
