/* Internal: what the files of this folder share. */
#ifndef COUNTERWARP_ONNX_INTERNAL_H
#define COUNTERWARP_ONNX_INTERNAL_H

#include "counterwarp/model.h"
#include "onnx.pb-c.h"

enum {
  CW_ONNX_IR = 8,
  CW_ONNX_OPSET = 17,
  CW_ONNX_OPSET_FIRST = 13, /* operator meanings between these agree with the library's */
  CW_ONNX_OPSET_LAST = 22,
  CW_ONNX_FLOAT = 1, /* TensorProto.DataType */
  CW_ONNX_INT64 = 7,
  CW_ONNX_MOST = 10000 /* nodes, and tensors, in one file */
};

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

/* Memory that is freed all at once. */
typedef struct cw_onnx_arena {
  cw_context *context;
  struct cw_onnx_block *blocks;
} cw_onnx_arena;
/* Zeroed memory; NULL (message set) on failure. */
void *cw_onnx_take(cw_onnx_arena *arena, size_t count, size_t size);
char *cw_onnx_take_text(cw_onnx_arena *arena, const char *format, ...) CW_PRINTF(2, 3);
void cw_onnx_arena_free(cw_onnx_arena *arena);

/* ---- writing ---- */

typedef struct cw_onnx_writer {
  cw_onnx_arena arena;
  const cw_graph *graph;
  CwOnnx__GraphProto *out;
  int batch;                                            /* 1 where a conditional convolution fixes it, else CW_BATCH */
  const char *const *input_names, *const *output_names; /* that a file's reader expects, whatever the graph says */
  const char **alias; /* [value] its name in the file: a dropout's is that of its input */
  char *experts;      /* [value] 1: experts of a conditional convolution, 2: used otherwise, 3: both */
} cw_onnx_writer;

/* write_node.c: the ONNX nodes of one node. */
cw_status cw_onnx_write_node(cw_onnx_writer *writer, const cw_node_view *node);
/* write_graph.c */
cw_status cw_onnx_write_graph(cw_onnx_writer *writer);
cw_status cw_onnx_add_tensor(cw_onnx_writer *writer, const char *name, int type, int rank, const int64_t *dims,
                             const void *data);

/* ---- reading ---- */

typedef enum cw_onnx_kind { CW_ONNX_INPUT, CW_ONNX_TENSOR, CW_ONNX_NODE } cw_onnx_kind;

/* How an initializer is used. */
typedef enum cw_onnx_role {
  CW_ONNX_UNUSED,
  CW_ONNX_WEIGHT,  /* a value of the graph */
  CW_ONNX_EXPERTS, /* the same, with the shape of a conditional convolution's experts */
  CW_ONNX_WINDOW,  /* a taper's constant */
  CW_ONNX_NUMBERS  /* shapes and scales */
} cw_onnx_role;

/* A name of the file and what stands behind it. */
typedef struct cw_onnx_definition {
  const char *name;
  cw_onnx_kind kind;
  int index; /* of the input, initializer or node */
  int uses;
  cw_onnx_role role; /* initializers */
  bool statistics;   /* initializers: running mean or variance */
  cw_shape experts;  /* role CW_ONNX_EXPERTS */
  cw_value value;    /* in the graph that is built, or CW_NONE */
} cw_onnx_definition;

/* A conditional convolution found among standard operators. */
typedef struct cw_onnx_cond_conv {
  cw_onnx_definition *x, *direction, *experts, *bias, *routing_weight, *routing_bias;
} cw_onnx_cond_conv;

typedef struct cw_onnx_reader {
  cw_context *context;
  const CwOnnx__GraphProto *in;
  cw_graph *graph;
  cw_onnx_definition *definitions; /* sorted by name */
  int definition_count;
  cw_onnx_definition **of_node;   /* [node] definition of its output */
  cw_onnx_definition **of_tensor; /* [initializer] */
  bool *absorbed;                 /* [node] part of a conditional convolution that ends in another node */
  cw_onnx_cond_conv **cond_conv;  /* [node] NULL: none */
  cw_onnx_arena arena;
} cw_onnx_reader;

/* read_graph.c */
cw_status cw_onnx_read_graph(cw_context *context, const CwOnnx__GraphProto *in, cw_graph **graph);
cw_onnx_definition *cw_onnx_find(const cw_onnx_reader *reader, const char *name);
/* Name of a node for messages. */
const char *cw_onnx_node_label(const CwOnnx__NodeProto *node, char label[72]);

/* read_tensor.c: elements of a tensor after all checks (0: refused, message set). */
cw_status cw_onnx_check_tensor(cw_context *context, const CwOnnx__TensorProto *tensor, size_t *elements);
/* Data of a checked tensor. */
void cw_onnx_floats(const CwOnnx__TensorProto *tensor, size_t elements, float *out);
int64_t cw_onnx_int64(const CwOnnx__TensorProto *tensor, size_t index);

/* read_attributes.c */
bool cw_onnx_is(const CwOnnx__NodeProto *node, const char *op_type);
/* Operators, number of inputs and attributes that the library knows; else a refusal. */
cw_status cw_onnx_check_node(cw_context *context, const CwOnnx__NodeProto *node);
/* An attribute of a node, NULL if absent; its value, or `otherwise`. */
const CwOnnx__AttributeProto *cw_onnx_attribute(const CwOnnx__NodeProto *node, const char *name);
int64_t cw_onnx_attribute_int(const CwOnnx__NodeProto *node, const char *name, int64_t otherwise);
float cw_onnx_attribute_float(const CwOnnx__NodeProto *node, const char *name, float otherwise);
bool cw_onnx_attribute_is(const CwOnnx__NodeProto *node, const char *name, const char *text, bool otherwise);
/* False unless it has `count` integers in [low, high]; out is left alone if the attribute is absent. */
bool cw_onnx_attribute_ints(const CwOnnx__NodeProto *node, const char *name, int count, int low, int high, int *out);
/* A number that the writer noted in the node's doc_string ("counterwarp key=value ..."), if in [low, high]. */
bool cw_onnx_note(const CwOnnx__NodeProto *node, const char *key, double low, double high, double *value);

/* read_node.c */
/* Marks how a node uses its initializers. */
cw_status cw_onnx_mark_roles(cw_onnx_reader *reader, int index);
/* Adds the node to the graph. */
cw_status cw_onnx_read_node(cw_onnx_reader *reader, int index);

/* read_cond_conv.c: recognises the pattern that ends in the Conv at `index`. */
cw_status cw_onnx_match_cond_conv(cw_onnx_reader *reader, int index);

#endif
