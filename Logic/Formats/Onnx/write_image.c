/* The warped image of a simulator as one more output, in standard operators: out(p) = in(p + u(p)) by GridSample, which
 * samples volumes from operator set 20 on, and u the field itself or the exponential of a velocity. */
#include <math.h>

#include "Formats/Onnx/onnx_internal.h"

enum { MOST_SQUARINGS = 12 }; /* those of cw_exponential_squarings */

/* Nodes one after the other, named by numbers; once one has failed the rest does nothing. */
typedef struct builder {
  cw_onnx_writer *w;
  cw_status status;
  int made;
  int64_t size[3]; /* x, y, z */
} builder;

static const char *new_name(builder *b) {
  const char *name = cw_onnx_take_text(&b->w->arena, "%s/%d", CW_ONNX_IMAGE_OUTPUT, b->made++);
  if (!name)
    b->status = CW_ERROR_MEMORY;
  return name;
}

static CwOnnx__NodeProto *add(builder *b, const char *op_type, const char *output, int count,
                              const char *const *inputs) {
  CwOnnx__NodeProto *node = b->status == CW_OK ? cw_onnx_add_node(b->w, op_type, output, inputs, count) : NULL;
  if (!node)
    b->status = b->status == CW_OK ? CW_ERROR_MEMORY : b->status;
  return node;
}

static const char *one(builder *b, const char *op_type, const char *x) {
  const char *name = new_name(b);
  add(b, op_type, name, 1, &x);
  return name;
}

static const char *two(builder *b, const char *op_type, const char *x, const char *y) {
  const char *name = new_name(b), *const in[2] = {x, y};
  add(b, op_type, name, 2, in);
  return name;
}

static const char *where(builder *b, const char *condition, const char *x, const char *y) {
  const char *name = new_name(b), *const in[3] = {condition, x, y};
  add(b, "Where", name, 3, in);
  return name;
}

static const char *tensor(builder *b, int type, int rank, const int64_t *d, const void *data) {
  const char *name = new_name(b);
  if (b->status == CW_OK)
    b->status = cw_onnx_add_tensor(b->w, name, type, rank, d, data);
  return name;
}

static const char *number(builder *b, float value) {
  return tensor(b, CW_ONNX_FLOAT, 0, NULL, &value);
}

static const char *list(builder *b, int64_t count, const int64_t *numbers) {
  return tensor(b, CW_ONNX_INT64, 1, &count, numbers);
}

/* Largest value of each sample, [N,1,1,1,1]. */
static const char *largest_of(builder *b, const char *x) {
  static const int64_t axes[4] = {1, 2, 3, 4};
  return two(b, "ReduceMax", x, list(b, 4, axes));
}

/* |v(p + 1) - v(p)| along an axis of the tensor, 0 at its end. */
static const char *steepness(builder *b, const char *v, int64_t axis) {
  const int64_t zero = 0, first = 1, before = -1, end = INT64_MAX;
  int64_t pads[10] = {0};
  pads[5 + axis] = 1;
  const char *after[4] = {v, list(b, 1, &first), list(b, 1, &end), list(b, 1, &axis)};
  const char *ahead[4] = {v, list(b, 1, &zero), list(b, 1, &before), after[3]};
  const char *later = new_name(b), *earlier = new_name(b);
  add(b, "Slice", later, 4, after);
  add(b, "Slice", earlier, 4, ahead);
  return two(b, "Pad", one(b, "Abs", two(b, "Sub", later, earlier)), list(b, 10, pads));
}

/* Twice the larger of the largest |v| and the largest row sum of its differences: squaring n is needed where this is at
 * least 2^n (cw_exponential_squarings). */
static const char *measure(builder *b, const char *v) {
  const int64_t components = 1;
  const char *rows = two(b, "Add", two(b, "Add", steepness(b, v, 2), steepness(b, v, 3)), steepness(b, v, 4));
  const char *square = two(b, "ReduceSum", two(b, "Mul", v, v), list(b, 1, &components));
  const char *largest = two(b, "Max", largest_of(b, rows), one(b, "Sqrt", largest_of(b, square)));
  return two(b, "Mul", largest, number(b, 2));
}

/* Where the voxels lie, [1,D,H,W,3] in GridSample's coordinates: -1 and 1 are the middles of the first and last. */
static const char *positions(builder *b) {
  const char *sum = NULL;
  for (int axis = 0; axis < 3; axis++) {
    const int64_t n = b->size[axis], d[5] = {1, axis == 2 ? n : 1, axis == 1 ? n : 1, axis == 0 ? n : 1, 3};
    float *along = cw_onnx_take(&b->w->arena, (size_t)(3 * n), sizeof *along);
    if (!along) {
      b->status = CW_ERROR_MEMORY;
      return NULL;
    }
    for (int64_t i = 0; i < n; i++)
      along[3 * i + axis] = (float)(2.0 * (double)i / (double)(n - 1) - 1);
    const char *part = tensor(b, CW_ONNX_FLOAT, 5, d, along);
    sum = sum ? two(b, "Add", sum, part) : part;
  }
  return sum;
}

/* x(p + u(p)); padding: what lies outside. */
static const char *sample(builder *b, const char *x, const char *u, const char *steps, const char *places,
                          const char *padding, const char *name) {
  static const int last[5] = {0, 2, 3, 4, 1};
  const char *turned = new_name(b), *in[2] = {x, NULL};
  CwOnnx__NodeProto *node = add(b, "Transpose", turned, 1, &u);
  if (node)
    b->status = cw_onnx_put_ints(b->w, node, "perm", last, 5);
  in[1] = two(b, "Add", two(b, "Mul", turned, steps), places);
  name = name ? name : new_name(b);
  node = add(b, "GridSample", name, 2, in);
  if (node && b->status == CW_OK)
    b->status = cw_onnx_put_text(b->w, node, "mode", "linear");
  if (node && b->status == CW_OK)
    b->status = cw_onnx_put_text(b->w, node, "padding_mode", padding);
  if (node && b->status == CW_OK)
    b->status = cw_onnx_put_int(b->w, node, "align_corners", 1);
  return name;
}

cw_status cw_onnx_write_image(cw_onnx_writer *w, const char *image, const char *field, bool velocity) {
  const cw_shape *shape = cw_value_shape(w->graph, cw_graph_input_at(w->graph, 0));
  const int64_t three = 3;
  builder b = {w, CW_OK, 0, {shape->d[4], shape->d[3], shape->d[2]}};
  float step[3];
  for (int i = 0; i < 3; i++) {
    if (b.size[i] < 2)
      return cw_fail(w->arena.context, CW_ERROR_UNSUPPORTED,
                     "onnx: an image of one voxel along an axis cannot be warped in a file");
    step[i] = (float)(2 / (double)(b.size[i] - 1));
  }
  const char *steps = tensor(&b, CW_ONNX_FLOAT, 1, &three, step), *places = positions(&b), *u = field;
  if (velocity) {
    const char *twice = measure(&b, field), *scale = number(&b, 1), *half = number(&b, 0.5f), *enough[MOST_SQUARINGS];
    for (int n = 0; n < MOST_SQUARINGS; n++) {
      enough[n] = two(&b, "Less", twice, number(&b, ldexpf(1, n)));
      scale = where(&b, enough[n], scale, two(&b, "Mul", scale, half));
    }
    u = two(&b, "Mul", field, scale);
    for (int n = 0; n < MOST_SQUARINGS; n++) {
      const char *moved = sample(&b, u, u, steps, places, "border", NULL);
      u = where(&b, enough[n], u, two(&b, "Add", u, moved));
    }
  }
  sample(&b, image, u, steps, places, "zeros", CW_ONNX_IMAGE_OUTPUT);
  return b.status;
}
