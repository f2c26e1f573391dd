/* Internal: what the files of this folder share. */
#ifndef COUNTERWARP_ONNX_INTERNAL_H
#define COUNTERWARP_ONNX_INTERNAL_H

#include "counterwarp/onnx.h"
#include "onnx.pb-c.h"

enum {
  CW_ONNX_IR = 8,
  CW_ONNX_OPSET = 17,
  CW_ONNX_IR_IMAGE = 9, /* of files that also give the warped image */
  CW_ONNX_OPSET_IMAGE = 20,
  CW_ONNX_OPSET_FIRST = 9,
  CW_ONNX_OPSET_LAST = 22,
  CW_ONNX_FLOAT = 1, /* TensorProto.DataType */
  CW_ONNX_UINT8 = 2,
  CW_ONNX_INT8 = 3,
  CW_ONNX_INT32 = 6,
  CW_ONNX_INT64 = 7,
  CW_ONNX_BOOL = 9,
  CW_ONNX_FLOAT16 = 10,
  CW_ONNX_DOUBLE = 11,
  CW_ONNX_BFLOAT16 = 16,
  CW_ONNX_MOST = 10000,                   /* nodes, and tensors, in one file */
  CW_ONNX_MOST_VALUES = 2 * CW_ONNX_MOST, /* of the graph that is built: an operator may become several nodes */
  CW_ONNX_MOST_FOLDED = 1 << 16,          /* numbers of a constant that is computed at load */
  CW_ONNX_ALL_FOLDED = 1 << 22,           /* of all of them */
  /* Memory that reading may ask for in all, freed or not: so many times the bytes of the model and of the files with
   * its weights (one byte may become a float, twice where a matrix is transposed), and this on top. */
  CW_ONNX_PER_BYTE = 8,
  CW_ONNX_ON_TOP = 1 << 26
};

/* Name of a simulator's third output, which only others read. */
#define CW_ONNX_IMAGE_OUTPUT "warped"

/* ---- text.c ---- */

/* Numbers with a point in every locale. */
void cw_onnx_number_text(double number, int digits, char text[40]);
/* Reads the next number of *at, after spaces, and moves *at behind it; false if there is no finite one. */
bool cw_onnx_number(const char **at, double *number);
/* A name from a file, made fit for a message. */
const char *cw_onnx_label(const char *name, char label[72]);
bool cw_onnx_is_utf8(const char *text);
/* Base64 of little-endian floats; NULL if memory fails. */
char *cw_onnx_base64(cw_context *context, const float *samples, size_t count);
/* False unless text holds exactly `count` floats. */
bool cw_onnx_base64_read(const char *text, float *samples, size_t count);
/* Items one a line; control characters, '%' and what is no UTF-8 as %XX.  NULL if memory fails. */
char *cw_onnx_list_text(cw_context *context, const cw_strings *strings);
cw_status cw_onnx_list_read(cw_context *context, const char *key, const char *text, cw_strings *strings);

/* ---- arena.c ---- */

/* Memory that is freed all at once; of a reader with a limit, so that a small file cannot ask for much. */
typedef struct cw_onnx_arena {
  cw_context *context;
  struct cw_onnx_block *blocks;
  bool limited, exceeded;
  size_t left; /* bytes, where limited */
} cw_onnx_arena;
/* Zeroed memory; NULL (message set, but for an exceeded limit) on failure. */
void *cw_onnx_take(cw_onnx_arena *arena, size_t count, size_t size);
char *cw_onnx_take_text(cw_onnx_arena *arena, const char *format, ...) CW_PRINTF(2, 3);
void cw_onnx_arena_free(cw_onnx_arena *arena);
/* Counts memory that comes from elsewhere; false: the limit is exceeded. */
bool cw_onnx_spend(cw_onnx_arena *arena, size_t bytes);

/* ---- writing ---- */

typedef struct cw_onnx_writer {
  cw_onnx_arena arena;
  const cw_graph *graph;
  CwOnnx__GraphProto *out;
  bool image, velocity;                                 /* the warped image is an output, too; the field's kind */
  int batch;                                            /* 1 where a conditional convolution fixes it, else CW_BATCH */
  const char *const *input_names, *const *output_names; /* that a file's reader expects, whatever the graph says */
  const char **alias; /* [value] its name in the file: a dropout's is that of its input */
  char *experts;      /* [value] bits; 1: experts of a conditional convolution, 2: used otherwise, 4: indices */
} cw_onnx_writer;

/* write_parts.c: a node of one output, named after it; an attribute of a node. */
CwOnnx__NodeProto *cw_onnx_add_node(cw_onnx_writer *writer, const char *op_type, const char *output,
                                    const char *const *inputs, int count);
cw_status cw_onnx_put_int(cw_onnx_writer *writer, CwOnnx__NodeProto *node, const char *name, int64_t value);
cw_status cw_onnx_put_float(cw_onnx_writer *writer, CwOnnx__NodeProto *node, const char *name, float value);
cw_status cw_onnx_put_text(cw_onnx_writer *writer, CwOnnx__NodeProto *node, const char *name, const char *text);
cw_status cw_onnx_put_ints(cw_onnx_writer *writer, CwOnnx__NodeProto *node, const char *name, const int *values,
                           int count);
/* kernel_shape, strides, pads. */
cw_status cw_onnx_put_window(cw_onnx_writer *writer, CwOnnx__NodeProto *node, const cw_attributes *attributes,
                             const int kernel[3]);

/* write_node.c: the ONNX nodes of one node; write_layer.c: those of layers that only imported networks have. */
cw_status cw_onnx_write_node(cw_onnx_writer *writer, const cw_node_view *node);
cw_status cw_onnx_write_layer(cw_onnx_writer *writer, const cw_node_view *node, const char *const *inputs);
/* write_image.c: the output CW_ONNX_IMAGE_OUTPUT from the values of these names. */
enum { CW_ONNX_IMAGE_NODES = 256, CW_ONNX_IMAGE_TENSORS = 64 };
cw_status cw_onnx_write_image(cw_onnx_writer *writer, const char *image, const char *field, bool velocity);
/* write_graph.c */
cw_status cw_onnx_write_graph(cw_onnx_writer *writer);
cw_status cw_onnx_add_tensor(cw_onnx_writer *writer, const char *name, int type, int rank, const int64_t *dims,
                             const void *data);

/* ---- reading ---- */

typedef enum cw_onnx_kind { CW_ONNX_INPUT, CW_ONNX_TENSOR, CW_ONNX_NODE } cw_onnx_kind;

/* What a runtime would compute with. */
typedef enum cw_onnx_precision { CW_ONNX_WHOLES, CW_ONNX_FLOATS, CW_ONNX_DOUBLES } cw_onnx_precision;

/* Numbers known at load: shapes and what is computed from them.  The batch is a symbol: a number may be a multiple of
 * it. */
typedef struct cw_onnx_constant {
  cw_onnx_precision precision; /* wholes: integers or truth values */
  int rank;                    /* 0: one number */
  int64_t d[CW_MAX_RANK];
  size_t count;
  double *v;
  bool *batch; /* [count] v counts batches */
} cw_onnx_constant;

/* A name of the file and what stands behind it. */
typedef struct cw_onnx_definition {
  const char *name;
  cw_onnx_kind kind;
  int index;  /* of the input, initializer or node */
  int output; /* which of the node's */
  int uses;
  struct cw_onnx_definition *same; /* outputs of nodes that pass a value on (Identity, ...) stand for their input */
  bool statistics;                 /* initializers: running mean or variance */
  int window_of;                   /* margin + 1 of the taper whose window it was found to be */
  cw_shape experts; /* initializers: their shape as a conditional convolution's experts; rank 0: they are none */
  const CwOnnx__TensorProto *tensor; /* initializers and Constant nodes */
  const cw_onnx_constant *constant;  /* once known */
  cw_value value;                    /* in the graph that is built, or CW_NONE */
} cw_onnx_definition;

/* A conditional convolution found among standard operators. */
typedef struct cw_onnx_cond_conv {
  cw_onnx_definition *x, *direction, *experts, *bias, *routing_weight, *routing_bias;
} cw_onnx_cond_conv;

/* What a file cannot say about itself, or what is asked of it. */
typedef struct cw_onnx_request {
  const char *folder; /* of external data */
  int64_t opset;
  const int64_t *input_size;      /* [3] D, H, W where the file leaves them open; NULL: it must not */
  const cw_output_choice *choice; /* NULL: the outputs as they are; else one logit */
  const char *leave_out;          /* an output that is not read, nor what it alone needs; NULL: none */
  size_t bytes;                   /* of the file */
} cw_onnx_request;

/* A stored matrix as a layer wants it, made once. */
typedef struct cw_onnx_copy {
  struct cw_onnx_copy *next;
  cw_value of, copy;
  bool transposed;
  float scale;
} cw_onnx_copy;

/* A file with weights. */
typedef struct cw_onnx_side_file {
  struct cw_onnx_side_file *next;
  uint64_t device, inode;
} cw_onnx_side_file;

typedef struct cw_onnx_reader {
  cw_context *context;
  const CwOnnx__GraphProto *in;
  const cw_onnx_request *request;
  cw_graph *graph;
  cw_onnx_definition *definitions; /* sorted by name */
  int definition_count;
  size_t folded;                 /* numbers of all constants computed so far */
  bool *needed;                  /* [node] an output that is read depends on it */
  bool *absorbed;                /* [node] part of a conditional convolution that ends in another node */
  cw_onnx_cond_conv **cond_conv; /* [node] NULL: none */
  cw_onnx_copy *copies;
  cw_onnx_side_file *side_files; /* whose bytes are in the arena's limit */
  cw_onnx_arena arena;
} cw_onnx_reader;

/* What the library knows of an operator: number of inputs, and attributes with their types (s text, i integer, f
 * number, v list of integers, w list of numbers, t tensor). */
typedef struct cw_onnx_operator {
  const char *op_type;
  size_t least, most;
  /* Adds nodes to the graph and defines the outputs; NULL: the operator must be foldable where it stands. */
  cw_status (*read)(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
  const char *attributes[10];
} cw_onnx_operator;

/* A file in memory, its versions checked. */
typedef struct cw_onnx_file {
  CwOnnx__ModelProto *proto;
  char *folder;
  int64_t opset;
  size_t bytes;
} cw_onnx_file;

/* read_file.c */
cw_status cw_onnx_open(cw_context *context, const char *path, cw_onnx_file *file);
/* Frees it; returns status, with the file's name in front of its message. */
cw_status cw_onnx_close(cw_context *context, const char *path, cw_onnx_file *file, cw_status status);

/* read_model.c: value of a metadata key; "" if absent and not needed. */
cw_status cw_onnx_metadata(cw_context *context, const CwOnnx__ModelProto *proto, const char *key, bool needed,
                           const char **value);

/* read_output.c: the chosen output as one logit [N,1], the graph's only output. */
cw_status cw_onnx_choose_output(cw_onnx_reader *reader);

/* read_bounds.c: refused where a sigmoid or softmax still bounds the value of `output`. */
cw_status cw_onnx_refuse_probability(cw_onnx_reader *reader, const char *output, cw_value value);

/* read_graph.c */
cw_status cw_onnx_read_graph(cw_context *context, const CwOnnx__GraphProto *in, const cw_onnx_request *request,
                             cw_graph **graph);
/* NULL if nothing has the name; what a passed-on value stands for. */
cw_onnx_definition *cw_onnx_find(const cw_onnx_reader *reader, const char *name);
/* The definition of a node's output itself. */
cw_onnx_definition *cw_onnx_output(const cw_onnx_reader *reader, const CwOnnx__NodeProto *node, size_t output);
/* The graph's value behind a node's input (CW_NONE if absent); parameters are made when they are first asked for. */
cw_status cw_onnx_value(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, size_t input, cw_value *value);
/* Adds a graph node for `node`, named after its first output; part: what is put behind the name of an intermediate
 * one, NULL for the last. */
cw_status cw_onnx_add(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, const char *part, cw_operator op,
                      const cw_attributes *attributes, const cw_value *inputs, int count, cw_value *value);
/* The same, and output 0 is defined by it. */
cw_status cw_onnx_give(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, cw_operator op,
                       const cw_attributes *attributes, const cw_value *inputs, int count);
void cw_onnx_define(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, size_t output, cw_value value);
/* A buffer of the graph: a number or numbers that a node needs besides its inputs.  data NULL: zeros. */
cw_status cw_onnx_buffer(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, const char *part, cw_shape shape,
                         const float *data, cw_value *value);

/* read_tensor.c */
/* Type, axes and amount of data fit together, so that reading it cannot fail for lack of data. */
cw_status cw_onnx_check_tensor(cw_onnx_reader *reader, const CwOnnx__TensorProto *tensor);
/* Elements of a checked tensor, 1 for one without axes. */
size_t cw_onnx_elements(const CwOnnx__TensorProto *tensor);
/* Numbers of a checked tensor, converted; external data are fetched. */
cw_status cw_onnx_floats(cw_onnx_reader *reader, const CwOnnx__TensorProto *tensor, float *out);
cw_status cw_onnx_numbers(cw_onnx_reader *reader, const CwOnnx__TensorProto *tensor, double *out);
bool cw_onnx_is_float(int type);
cw_onnx_precision cw_onnx_precision_of(int type);

/* read_external.c: bytes of a tensor that lie in another file of the model's folder; the caller releases them.  data
 * NULL: only whether they are there; the file then counts for what may be allocated. */
cw_status cw_onnx_external(cw_onnx_reader *reader, const CwOnnx__TensorProto *tensor, size_t bytes, uint8_t **data);
/* The file's name; "" if the entry is missing. */
const char *cw_onnx_external_location(const CwOnnx__TensorProto *tensor);

/* read_constant.c */
/* As an integer, within bounds that sums of a few do not leave. */
static inline int64_t cw_onnx_integer(double v) {
  return v >= 1e15 ? (int64_t)1000000000000000 : v <= -1e15 ? -(int64_t)1000000000000000 : v == v ? (int64_t)v : 0;
}
/* Zeros of shape d[rank] that `node` (NULL: a stored tensor) gives; refused when larger than what is folded at load. */
cw_status cw_onnx_new_constant(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, cw_onnx_precision precision,
                               int rank, const int64_t *d, cw_onnx_constant **constant);
/* The constant of a name, NULL if it is none (or too large to be one). */
cw_status cw_onnx_constant_of(cw_onnx_reader *reader, const char *name, const cw_onnx_constant **constant);
/* A Constant node; its tensor, if it has one, is known already. */
cw_status cw_onnx_read_constant(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
/* Constant integers of an input or (older operator sets) of an attribute; count 0 if neither is there.  Refused if it
 * is not constant, depends on the batch, or has more than `most` numbers. */
cw_status cw_onnx_integers(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, size_t input, const char *attribute,
                           int most, int64_t *out, int *count);
/* One constant number of an input or attribute; *value is left alone if neither is there. */
cw_status cw_onnx_scalar(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, size_t input, const char *attribute,
                         float *value);

/* fold_constant.c */
/* Folds a node of constants; *folded says whether it could. */
cw_status cw_onnx_fold(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, bool *folded);

/* read_attributes.c */
/* Name of a node for messages. */
const char *cw_onnx_node_label(const CwOnnx__NodeProto *node, char label[72]);
/* CW_ERROR_UNSUPPORTED: node, operator and reason in one sentence. */
cw_status cw_onnx_refuse(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, const char *reason);
bool cw_onnx_is(const CwOnnx__NodeProto *node, const char *op_type);
/* The operator if its number of inputs and its attributes are known; else a refusal. */
cw_status cw_onnx_check_node(cw_context *context, const CwOnnx__NodeProto *node, const cw_onnx_operator **found);
/* An attribute of a node, NULL if absent; its value, or `otherwise`. */
const CwOnnx__AttributeProto *cw_onnx_attribute(const CwOnnx__NodeProto *node, const char *name);
int64_t cw_onnx_attribute_int(const CwOnnx__NodeProto *node, const char *name, int64_t otherwise);
float cw_onnx_attribute_float(const CwOnnx__NodeProto *node, const char *name, float otherwise);
bool cw_onnx_attribute_is(const CwOnnx__NodeProto *node, const char *name, const char *text, bool otherwise);
/* False unless it has `count` integers in [low, high]; out is left alone if the attribute is absent. */
bool cw_onnx_attribute_ints(const CwOnnx__NodeProto *node, const char *name, int count, int low, int high, int *out);
/* A number that the writer noted in the node's doc_string ("counterwarp key=value ..."), if in [low, high]. */
bool cw_onnx_note(const CwOnnx__NodeProto *node, const char *key, double low, double high, double *value);
/* `axis` of a value of `rank` axes, negative ones from the end; -1 if there is no such axis. */
int cw_onnx_axis(int64_t axis, int rank);

/* read_operators.c */
const cw_onnx_operator *cw_onnx_operator_named(const char *op_type);

/* read_window.c: convolutions and pooling. */
cw_status cw_onnx_read_conv(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_cond_conv(cw_onnx_reader *reader, int index);
cw_status cw_onnx_read_conv_transpose(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_pool(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
/* read_shape.c: layers that move data. */
cw_status cw_onnx_read_reshape(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_flatten(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_squeeze(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_unsqueeze(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_transpose(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_expand(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_concat(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
/* Reshapes a value of the graph; the batch stays where it is in the order of elements. */
cw_status cw_onnx_reshape(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, const char *part, cw_value x,
                          const cw_shape *shape, cw_value *y);
/* read_slice.c */
cw_status cw_onnx_read_slice(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_split(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_gather(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_pad(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_resize(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
/* read_arithmetic.c: element by element. */
cw_status cw_onnx_read_unary(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_binary(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_comparison(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_pow(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_mul(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_clip(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_gelu(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_mish(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_where(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_same(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_cast(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_grid_sample(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
/* read_taper.c: refused unless input 1 of the node is the window of a taper of field x. */
cw_status cw_onnx_check_taper(cw_onnx_reader *reader, const CwOnnx__NodeProto *node, int margin, cw_value x);
/* read_network.c: products, norms, reductions. */
cw_status cw_onnx_read_batch_norm(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_instance_norm(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_layer_norm(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_group_norm(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_softmax(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_reduce(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_global(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_gemm(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_matmul(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);
cw_status cw_onnx_read_einsum(cw_onnx_reader *reader, const CwOnnx__NodeProto *node);

/* read_cond_conv.c: recognises the pattern that ends in the Conv at `index`. */
cw_status cw_onnx_match_cond_conv(cw_onnx_reader *reader, int index);

#endif
