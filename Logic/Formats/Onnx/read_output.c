/* The logit among a classifier's outputs. */
#include <stdio.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

cw_output_choice cw_output_choice_default(void) {
  const cw_output_choice choice = {NULL, -1, -1, false};
  return choice;
}

/* A class number at *at, which moves behind it; -1 if there is none. */
static int class_at(const char **at) {
  int number = 0, digits = 0;
  while (**at == ' ')
    (*at)++;
  for (; **at >= '0' && **at <= '9' && digits < 6; digits++)
    number = 10 * number + *(*at)++ - '0';
  while (**at == ' ')
    (*at)++;
  return digits && !(**at >= '0' && **at <= '9') ? number : -1;
}

cw_status cw_output_choice_read(cw_context *context, const char *text, cw_output_choice *choice) {
  char label[72];
  const char *at = text;
  cw_output_choice read = cw_output_choice_default();
  read.name = choice->name;
  read.positive = class_at(&at);
  bool fits = read.positive >= 0;
  if (!strncmp(at, "against ", 8)) {
    at += 8;
    read.negative = class_at(&at);
    fits = fits && read.negative >= 0 && read.negative != read.positive;
  } else if (!strncmp(at, "alone", 5)) {
    at += 5;
    read.alone = true;
  }
  if (!fits || *at)
    return cw_fail(context, CW_ERROR_ARGUMENT, "the output '%s' should be \"1\", \"1 against 0\" or \"1 alone\"",
                   cw_onnx_label(text, label));
  *choice = read;
  return CW_OK;
}

/* The node that computes a value; false for what is no node's. */
static bool producer(const cw_graph *graph, cw_value value, cw_node_view *node) {
  for (int i = cw_graph_node_count(graph) - 1; i >= 0; i--) {
    *node = cw_graph_node_at(graph, i);
    if (node->output == value)
      return true;
  }
  return false;
}

/* The numbers that classes are told from, and what makes probabilities of them. */
typedef struct head {
  cw_value z;
  bool probabilities, sigmoid; /* a sigmoid's outputs are independent of each other; a softmax's sum to one */
} head;

/* Back over what neither mixes nor bends the values, to the logits before a final sigmoid or softmax, or its log. */
static head head_of(const cw_graph *graph, cw_value value) {
  const head none = {value, false, false};
  cw_value at = value;
  cw_node_view node;
  bool log = false;
  while (producer(graph, at, &node)) {
    const cw_shape *in = cw_value_shape(graph, node.inputs[0]), *out = cw_value_shape(graph, node.output);
    at = node.inputs[0];
    if (node.op == CW_OP_RESHAPE && cw_shape_elements(in, 1) == cw_shape_elements(out, 1))
      continue;
    if (node.op == CW_OP_LOG && !log) {
      log = true;
      continue;
    }
    const bool sigmoid = node.op == CW_OP_SIGMOID;
    const bool softmax = node.op == CW_OP_SOFTMAX || (node.op == CW_OP_LOG_SOFTMAX && !log);
    /* Over one axis: the others are of one sample, or classes would be mixed with places. */
    if (!sigmoid && !(softmax && out->d[node.attributes->axis] == cw_shape_elements(out, 1)))
      return none;
    return (head){at, true, sigmoid};
  }
  return none;
}

/* The class that a node alone takes along `axis`; -1: it takes several, or is another node. */
static int class_taken(const cw_graph *graph, const cw_node_view *node, int axis) {
  if (cw_shape_elements(cw_value_shape(graph, node->output), 1) != 1)
    return -1;
  if (node->op == CW_OP_SLICE)
    return node->attributes->begin[axis];
  const float *index =
      node->op == CW_OP_GATHER && node->attributes->axis == axis ? cw_value_data(graph, node->inputs[1]) : NULL;
  return index ? (int)index[0] : -1;
}

/* The class whose probability alone is the output, as of softmax(z)[:, 1]; *value becomes all of them.  -1: another
 * output. */
static int class_cut_out(const cw_graph *graph, cw_value *value) {
  cw_node_view cut;
  cw_value at = *value;
  bool log = false;
  while (producer(graph, at, &cut) && (cut.op == CW_OP_RESHAPE || (cut.op == CW_OP_LOG && !log))) {
    log = log || cut.op == CW_OP_LOG;
    at = cut.inputs[0];
  }
  if (!producer(graph, at, &cut) || (cut.op != CW_OP_SLICE && cut.op != CW_OP_GATHER))
    return -1;
  const cw_shape *from = cw_value_shape(graph, cut.inputs[0]);
  cw_node_view node;
  int axis = 0;
  while (axis < from->rank && from->d[axis] != cw_shape_elements(from, 1))
    axis++;
  if (axis == from->rank || from->d[axis] < 2 || !head_of(graph, cut.inputs[0]).probabilities)
    return -1;
  if (log && producer(graph, cut.inputs[0], &node) && node.op == CW_OP_LOG_SOFTMAX)
    return -1;
  const int taken = class_taken(graph, &cut, axis);
  if (taken >= 0)
    *value = cut.inputs[0];
  return taken;
}

static const CwOnnx__ValueInfoProto *chosen(const cw_onnx_reader *r) {
  const char *name = r->request->choice->name;
  for (size_t i = 0; i < r->in->n_output; i++)
    if (!name || !strcmp(r->in->output[i]->name, name))
      return r->in->output[i];
  return NULL;
}

/* z[N, classes] -> columns first .. first + count - 1 */
static cw_status columns(cw_onnx_reader *r, const char *name, cw_value z, int first, int64_t count, cw_value *y) {
  cw_attributes a = cw_attributes_default();
  a.shape = CW_SHAPE(CW_BATCH, count);
  a.begin[1] = first;
  return cw_graph_node(r->context, r->graph, CW_OP_SLICE, name, &a, &z, 1, y);
}

static cw_status difference(cw_onnx_reader *r, const char *name, cw_value a, cw_value b, cw_value *y) {
  const cw_value both[2] = {a, b};
  return cw_graph_node(r->context, r->graph, CW_OP_SUB, name, NULL, both, 2, y);
}

/* log sum over all but class c of exp(z) = others[0] - log_softmax(others)[0] */
static cw_status rest(cw_onnx_reader *r, cw_value z, int c, int64_t classes, cw_value *y) {
  cw_value parts[2], others, first, share;
  int count = 0;
  if (c > 0)
    CW_TRY(columns(r, "counterwarp/before", z, 0, c, &parts[count++]));
  if (c + 1 < classes)
    CW_TRY(columns(r, "counterwarp/after", z, c + 1, classes - c - 1, &parts[count++]));
  others = parts[0];
  if (count == 2)
    CW_TRY(cw_graph_node(r->context, r->graph, CW_OP_CONCAT, "counterwarp/others", NULL, parts, 2, &others));
  if (classes == 2) {
    *y = others;
    return CW_OK;
  }
  CW_TRY(columns(r, "counterwarp/other", others, 0, 1, &first));
  CW_TRY(cw_graph_node(r->context, r->graph, CW_OP_LOG_SOFTMAX, "counterwarp/shares", NULL, &others, 1, &share));
  CW_TRY(columns(r, "counterwarp/share", share, 0, 1, &share));
  return difference(r, "counterwarp/rest", first, share, y);
}

static cw_status pick(cw_onnx_reader *r, const cw_output_choice *o, cw_value z, int64_t classes, cw_value *y) {
  const int c = o->positive < 0 && classes == 2 ? 1 : o->positive;
  cw_value positive, negative;
  if (c < 0 || c >= classes || o->negative >= classes || o->negative == c)
    return cw_fail(r->context, CW_ERROR_ARGUMENT,
                   "onnx: the classifier has %lld outputs, expected to be told which class is the patients' (%d was)",
                   (long long)classes, o->positive);
  CW_TRY(columns(r, o->alone ? "counterwarp/logit" : "counterwarp/class", z, c, 1, &positive));
  *y = positive;
  if (o->alone)
    return CW_OK;
  if (o->negative >= 0)
    CW_TRY(columns(r, "counterwarp/against", z, o->negative, 1, &negative));
  else
    CW_TRY(rest(r, z, c, classes, &negative));
  return difference(r, "counterwarp/logit", positive, negative, y);
}

/* Gives a value the name that models have for it; another value of that name steps aside. */
static cw_status claim(cw_onnx_reader *r, cw_value value, const char *name) {
  const cw_value other = cw_graph_find(r->graph, name);
  if (other == value)
    return CW_OK;
  if (other != CW_NONE) {
    char aside[64];
    snprintf(aside, sizeof aside, "counterwarp/other %s", name);
    CW_TRY(cw_graph_rename(r->context, r->graph, other, aside));
  }
  return cw_graph_rename(r->context, r->graph, value, name);
}

cw_status cw_onnx_choose_output(cw_onnx_reader *r) {
  const CwOnnx__ValueInfoProto *info = chosen(r);
  const cw_onnx_definition *d = info ? cw_onnx_find(r, info->name) : NULL;
  char label[72];
  if (!d || d->value == CW_NONE)
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: there is no output '%s' that depends on the input",
                   cw_onnx_label(r->request->choice->name ? r->request->choice->name : "", label));
  cw_output_choice choice = *r->request->choice;
  cw_value whole = d->value;
  const int cut = class_cut_out(r->graph, &whole);
  if (cut >= 0 && (choice.positive <= 0 || choice.positive == cut)) {
    choice.positive = cut;
    choice.negative = -1;
  } else {
    whole = d->value;
  }
  const cw_shape *found = cw_value_shape(r->graph, whole);
  const int64_t classes = cw_shape_elements(found, 1);
  if (found->d[0] != CW_BATCH || classes > INT32_MAX)
    return cw_fail(r->context, CW_ERROR_UNSUPPORTED, "onnx: output '%s' is not a list of numbers for each image",
                   cw_onnx_label(info->name, label));
  const cw_shape one = CW_SHAPE(CW_BATCH, 1), flat = CW_SHAPE(CW_BATCH, classes);
  const head found_head = head_of(r->graph, whole);
  cw_value z = found_head.z;
  if (!choice.alone)
    CW_TRY(cw_onnx_refuse_probability(r, info->name, z));
  choice.alone = choice.alone || (found_head.sigmoid && choice.negative < 0);
  /* A network of this library's own needs no change. */
  if (!cw_shape_equal(cw_value_shape(r->graph, z), &flat)) {
    cw_attributes a = cw_attributes_default();
    a.shape = flat;
    CW_TRY(cw_graph_node(r->context, r->graph, CW_OP_RESHAPE, "counterwarp/flat", &a, &z, 1, &z));
  }
  if (!cw_shape_equal(&flat, &one))
    CW_TRY(pick(r, &choice, z, classes, &z));
  else if (choice.positive > 0)
    return cw_fail(r->context, CW_ERROR_ARGUMENT, "onnx: the classifier has one output, there is no class %d",
                   choice.positive);
  if (cw_graph_input_count(r->graph) == 1)
    CW_TRY(claim(r, cw_graph_input_at(r->graph, 0), "image"));
  CW_TRY(claim(r, z, "logit"));
  CW_TRY(cw_graph_output(r->context, r->graph, z));
  return cw_graph_trim(r->context, r->graph); /* a final softmax, other outputs */
}
