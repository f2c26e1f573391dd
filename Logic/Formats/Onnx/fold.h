/* Internal: what the files that fold constants share. */
#ifndef COUNTERWARP_ONNX_FOLD_H
#define COUNTERWARP_ONNX_FOLD_H

#include "Formats/Onnx/onnx_internal.h"

/* A node whose inputs may be constants, and the constant that it is. */
typedef struct cw_onnx_folding {
  cw_onnx_reader *r;
  const CwOnnx__NodeProto *node;
  const cw_onnx_constant *in[4];
  int count;
  cw_onnx_constant *out;
} cw_onnx_folding;

/* Makes f->out, zeros of shape d[rank]. */
cw_status cw_onnx_fold_give(cw_onnx_folding *f, cw_onnx_precision precision, int rank, const int64_t *d);
/* f->out[to] = from[at] */
void cw_onnx_fold_copy(cw_onnx_folding *f, size_t to, const cw_onnx_constant *from, size_t at);

/* fold_arithmetic.c */
cw_status cw_onnx_fold_range(cw_onnx_folding *f);
cw_status cw_onnx_fold_binary(cw_onnx_folding *f);
cw_status cw_onnx_fold_where(cw_onnx_folding *f);
cw_status cw_onnx_fold_unary(cw_onnx_folding *f);

#endif
