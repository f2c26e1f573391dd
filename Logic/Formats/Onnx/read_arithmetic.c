/* Operators that work element by element. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "Formats/Onnx/onnx_internal.h"

cw_status cw_onnx_read_unary(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  static const struct {
    const char *op_type;
    cw_operator op;
    float alpha, beta; /* ONNX's defaults */
    const char *second;
  } names[] = {{"Relu", CW_OP_RELU, 0, 0, ""},
               {"LeakyRelu", CW_OP_LEAKY_RELU, 0.01f, 0, ""},
               {"Sigmoid", CW_OP_SIGMOID, 0, 0, ""},
               {"Abs", CW_OP_ABS, 0, 0, ""},
               {"Neg", CW_OP_NEG, 0, 0, ""},
               {"Reciprocal", CW_OP_RECIPROCAL, 0, 0, ""},
               {"Sqrt", CW_OP_SQRT, 0, 0, ""},
               {"Exp", CW_OP_EXP, 0, 0, ""},
               {"Log", CW_OP_LOG, 0, 0, ""},
               {"Tanh", CW_OP_TANH, 0, 0, ""},
               {"Erf", CW_OP_ERF, 0, 0, ""},
               {"Softplus", CW_OP_SOFTPLUS, 0, 0, ""},
               {"Softsign", CW_OP_SOFTSIGN, 0, 0, ""},
               {"Elu", CW_OP_ELU, 1, 0, ""},
               {"Selu", CW_OP_SELU, 1.67326319217681884765625f, 1.05070102214813232421875f, "gamma"},
               {"HardSigmoid", CW_OP_HARD_SIGMOID, 0.2f, 0.5f, "beta"},
               {"HardSwish", CW_OP_HARD_SWISH, 0, 0, ""}};
  cw_attributes a = cw_attributes_default();
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!cw_onnx_is(node, names[i].op_type))
      continue;
    a.alpha = cw_onnx_attribute_float(node, "alpha", names[i].alpha);
    a.beta = cw_onnx_attribute_float(node, names[i].second, names[i].beta);
    return cw_onnx_give(r, node, names[i].op, &a, &x, 1);
  }
  return cw_onnx_refuse(r, node, "it is not supported");
}

/* Min, Max and Sum take any number of inputs: joined step by step. */
cw_status cw_onnx_read_binary(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  static const struct {
    const char *op_type;
    cw_operator op;
  } names[] = {{"Add", CW_OP_ADD}, {"Sub", CW_OP_SUB}, {"Mul", CW_OP_MUL}, {"Div", CW_OP_DIV},    {"Pow", CW_OP_POW},
               {"Min", CW_OP_MIN}, {"Max", CW_OP_MAX}, {"Sum", CW_OP_ADD}, {"PRelu", CW_OP_PRELU}};
  cw_operator op = CW_OP_COUNT;
  cw_value in[2];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (cw_onnx_is(node, names[i].op_type))
      op = names[i].op;
  CW_TRY(cw_onnx_value(r, node, 0, &in[0]));
  for (size_t k = 1; k < node->n_input; k++) {
    char part[32];
    snprintf(part, sizeof part, "first %zu", k + 1);
    CW_TRY(cw_onnx_value(r, node, k, &in[1]));
    if (in[1] == CW_NONE)
      return cw_onnx_refuse(r, node, "an input is missing");
    CW_TRY(cw_onnx_add(r, node, k + 1 < node->n_input ? part : NULL, op, NULL, in, 2, &in[0]));
  }
  cw_onnx_define(r, node, 0, in[0]);
  return CW_OK;
}

/* Truth values are 0 and 1 in the graph.  The writer puts "/truth" behind their name, and a Cast to numbers behind the
 * node. */
cw_status cw_onnx_read_comparison(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  static const char end[] = "/truth";
  const size_t length = strlen(node->output[0]), own = length - (sizeof end - 1);
  CwOnnx__NodeProto named = *node;
  char *name = NULL;
  cw_value in[2], y;
  for (size_t k = 0; k < 2; k++)
    CW_TRY(cw_onnx_value(r, node, k, &in[k]));
  if (length >= sizeof end && !strcmp(node->output[0] + own, end)) {
    if (!(name = cw_onnx_take_text(&r->arena, "%.*s", (int)own, node->output[0])))
      return CW_ERROR_MEMORY;
    named.output = &name;
  }
  CW_TRY(cw_onnx_add(r, &named, NULL, cw_onnx_is(node, "Greater") ? CW_OP_GREATER : CW_OP_LESS, NULL, in, 2, &y));
  cw_onnx_define(r, node, 0, y);
  return CW_OK;
}

/* Squares and roots have operators that are exact and fast. */
cw_status cw_onnx_read_pow(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const cw_onnx_constant *power;
  CW_TRY(cw_onnx_constant_of(r, node->input[1], &power));
  cw_value in[2];
  CW_TRY(cw_onnx_value(r, node, 0, &in[0]));
  if (!power || power->count != 1 || power->batch[0] || (power->v[0] != 2 && power->v[0] != 0.5) ||
      power->rank > cw_value_shape(r->graph, in[0])->rank)
    return cw_onnx_read_binary(r, node);
  in[1] = in[0];
  return power->v[0] == 2 ? cw_onnx_give(r, node, CW_OP_MUL, NULL, in, 2)
                          : cw_onnx_give(r, node, CW_OP_SQRT, NULL, in, 1);
}

/* The writer's taper: a field times a window that falls to zero at the faces, with its margin in a note. */
cw_status cw_onnx_read_mul(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  double margin;
  if (!cw_onnx_note(node, "margin", 0, 1024, &margin) || margin != floor(margin))
    return cw_onnx_read_binary(r, node);
  cw_attributes a = cw_attributes_default();
  cw_value x;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  CW_TRY(cw_onnx_check_taper(r, node, (int)margin, x));
  a.margin = (int)margin;
  return cw_onnx_give(r, node, CW_OP_TAPER, &a, &x, 1);
}

cw_status cw_onnx_read_clip(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_attributes a = cw_attributes_default();
  cw_value x;
  a.alpha = -INFINITY;
  a.beta = INFINITY;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  CW_TRY(cw_onnx_scalar(r, node, 1, "min", &a.alpha));
  CW_TRY(cw_onnx_scalar(r, node, 2, "max", &a.beta));
  return cw_onnx_give(r, node, CW_OP_CLIP, &a, &x, 1);
}

/* x op number */
static cw_status with_number(cw_onnx_reader *r, const CwOnnx__NodeProto *node, const char *part, cw_operator op,
                             cw_value x, float number, cw_value *y) {
  char name[40];
  cw_value in[2] = {x, CW_NONE};
  snprintf(name, sizeof name, "%s number", part);
  CW_TRY(cw_onnx_buffer(r, node, name, CW_SHAPE(1), &number, &in[1]));
  return cw_onnx_add(r, node, part, op, NULL, in, 2, y);
}

/* GELU from its parts, as older exports write it: x (1 + erf(x / sqrt 2)) / 2, or with a tanh for erf
 * (Hendrycks and Gimpel, arXiv 1606.08415). */
cw_status cw_onnx_read_gelu(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const bool approximate = cw_onnx_attribute_is(node, "approximate", "tanh", false);
  cw_value x, t, in[2];
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  if (!approximate && !cw_onnx_attribute_is(node, "approximate", "none", true))
    return cw_onnx_refuse(r, node, "approximate should be none or tanh");
  if (approximate) { /* sqrt(2 / pi) (x + 0.044715 x^3) */
    in[0] = in[1] = x;
    CW_TRY(cw_onnx_add(r, node, "square", CW_OP_MUL, NULL, in, 2, &t));
    CW_TRY(with_number(r, node, "cubic", CW_OP_MUL, t, 0.044715f, &t));
    CW_TRY(with_number(r, node, "slope", CW_OP_ADD, t, 1, &t));
    in[1] = t;
    CW_TRY(cw_onnx_add(r, node, "bent", CW_OP_MUL, NULL, in, 2, &t));
    CW_TRY(with_number(r, node, "scaled", CW_OP_MUL, t, 0.797884561f, &t));
    CW_TRY(cw_onnx_add(r, node, "tanh", CW_OP_TANH, NULL, &t, 1, &t));
  } else {
    CW_TRY(with_number(r, node, "scaled", CW_OP_MUL, x, 0.707106781f, &t));
    CW_TRY(cw_onnx_add(r, node, "erf", CW_OP_ERF, NULL, &t, 1, &t));
  }
  CW_TRY(with_number(r, node, "lifted", CW_OP_ADD, t, 1, &t));
  CW_TRY(with_number(r, node, "gate", CW_OP_MUL, t, 0.5f, &t));
  in[0] = x;
  in[1] = t;
  return cw_onnx_give(r, node, CW_OP_MUL, NULL, in, 2);
}

/* x tanh(softplus(x)) */
cw_status cw_onnx_read_mish(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_value in[2];
  CW_TRY(cw_onnx_value(r, node, 0, &in[0]));
  CW_TRY(cw_onnx_add(r, node, "softplus", CW_OP_SOFTPLUS, NULL, in, 1, &in[1]));
  CW_TRY(cw_onnx_add(r, node, "tanh", CW_OP_TANH, NULL, &in[1], 1, &in[1]));
  return cw_onnx_give(r, node, CW_OP_MUL, NULL, in, 2);
}

cw_status cw_onnx_read_where(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_value in[3];
  for (size_t k = 1; k < 3; k++)
    CW_TRY(cw_onnx_value(r, node, k, &in[k]));
  /* The writer's condition: stored numbers that a Cast makes truth values. */
  const cw_onnx_definition *d = cw_onnx_find(r, node->input[0]);
  const CwOnnx__NodeProto *cast = d->kind == CW_ONNX_NODE ? r->in->node[d->index] : NULL;
  const cw_onnx_definition *stored =
      cast && cw_onnx_is(cast, "Cast") && cast->n_input ? cw_onnx_find(r, cast->input[0]) : NULL;
  if (stored && stored->tensor && cw_onnx_is_float(stored->tensor->data_type))
    CW_TRY(cw_onnx_value(r, cast, 0, &in[0]));
  else
    CW_TRY(cw_onnx_value(r, node, 0, &in[0]));
  return cw_onnx_give(r, node, CW_OP_WHERE, NULL, in, 3);
}

/* The output is the input: Identity, and Dropout outside training. */
cw_status cw_onnx_read_same(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const cw_onnx_constant *training = NULL;
  if (cw_onnx_is(node, "Dropout") && node->n_input > 2)
    CW_TRY(cw_onnx_constant_of(r, node->input[2], &training));
  if (training && training->count && training->v[0] != 0)
    return cw_onnx_refuse(r, node, "it drops values at random, as in training; expected an export for inference");
  cw_onnx_output(r, node, 0)->same = cw_onnx_find(r, node->input[0]);
  return CW_OK;
}

/* Truth values that a comparison gives, or that are stored as numbers (the writer's condition), are numbers already. */
static bool is_truth(cw_onnx_reader *r, const char *name) {
  const cw_onnx_definition *d = cw_onnx_find(r, name);
  const CwOnnx__NodeProto *from = d->kind == CW_ONNX_NODE ? r->in->node[d->index] : NULL;
  if (d->tensor)
    return cw_onnx_is_float(d->tensor->data_type);
  return from && (cw_onnx_is(from, "Greater") || cw_onnx_is(from, "Less"));
}

/* Stored numbers as truth values: 0 and 1, as they are where they are that. */
static cw_status give_truth(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  cw_value x, y;
  bool already = true;
  CW_TRY(cw_onnx_value(r, node, 0, &x));
  const cw_shape shape = *cw_value_shape(r->graph, x);
  const int64_t count = cw_shape_elements(&shape, 1);
  const float *from = cw_value_data(r->graph, x);
  for (int64_t i = 0; i < count && already; i++)
    already = from[i] == 0 || from[i] == 1;
  if (already)
    return cw_onnx_read_same(r, node);
  CW_TRY(cw_onnx_buffer(r, node, "values", shape, NULL, &y));
  for (int64_t i = 0; i < count; i++)
    cw_value_data(r->graph, y)[i] = from[i] != 0;
  cw_onnx_define(r, node, 0, y);
  return CW_OK;
}

cw_status cw_onnx_read_cast(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  const int to = (int)cw_onnx_attribute_int(node, "to", 0);
  if (!cw_onnx_is_float(to) && !(to == CW_ONNX_BOOL && is_truth(r, node->input[0])))
    return cw_onnx_refuse(r, node, "only casts to floats are supported where numbers depend on the image");
  return to == CW_ONNX_BOOL && cw_onnx_find(r, node->input[0])->tensor ? give_truth(r, node)
                                                                       : cw_onnx_read_same(r, node);
}

/* Known only because the writer's image output ends in it; no network that is read may need it. */
cw_status cw_onnx_read_grid_sample(cw_onnx_reader *r, const CwOnnx__NodeProto *node) {
  return cw_onnx_refuse(r, node, "it is not supported in a network");
}
