#include <string.h>
#include <sys/stat.h>

#include "Formats/Onnx/onnx_internal.h"
#include "Tensor/file.h"

/* Of the file's bytes: protobuf-c has a record of 100 to 250 bytes for each part, however empty; names and numbers of
 * real networks keep it below 10. */
enum { UNPACKED_PER_BYTE = 24, UNPACKED_ON_TOP = 1 << 20 };

/* protobuf-c asks the context for memory, within a limit. */
typedef struct unpack_memory {
  cw_context *context;
  bool failed;
  size_t left;
} unpack_memory;

static void *unpack_allocate(void *data, size_t bytes) {
  unpack_memory *memory = data;
  if (bytes > memory->left)
    return NULL;
  memory->left -= bytes;
  void *block = cw_allocate(memory->context, bytes, 1);
  memory->failed = memory->failed || !block;
  return block;
}

static void unpack_release(void *data, void *block) {
  cw_release(((unpack_memory *)data)->context, block);
}

static cw_status check_versions(cw_context *context, const CwOnnx__ModelProto *proto, int64_t *version) {
  if (!proto->graph)
    return cw_fail(context, CW_ERROR_FORMAT, "onnx: there is no graph");
  if (proto->ir_version < 3 || proto->ir_version > 20)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: ir_version is %lld, expected 3 to 20",
                   (long long)proto->ir_version);
  int64_t opset = 0;
  for (size_t i = 0; i < proto->n_opset_import; i++)
    if (!*proto->opset_import[i]->domain || !strcmp(proto->opset_import[i]->domain, "ai.onnx"))
      opset = proto->opset_import[i]->version;
  if (opset < CW_ONNX_OPSET_FIRST || opset > CW_ONNX_OPSET_LAST)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "onnx: the operator set is %lld, expected %d to %d", (long long)opset,
                   CW_ONNX_OPSET_FIRST, CW_ONNX_OPSET_LAST);
  *version = opset;
  return CW_OK;
}

static cw_status folder_of(cw_context *context, const char *path, char **folder) {
  const char *slash = strrchr(path, '/');
  *folder = cw_copy_string(context, slash ? path : ".");
  if (!*folder)
    return CW_ERROR_MEMORY;
  if (slash)
    (*folder)[slash == path ? 1 : slash - path] = '\0';
  return CW_OK;
}

cw_status cw_onnx_open(cw_context *context, const char *path, cw_onnx_file *file) {
  uint8_t *bytes;
  size_t count;
  struct stat info;
  memset(file, 0, sizeof *file);
  if (stat(path, &info) == 0 && info.st_size > INT32_MAX)
    return cw_fail(context, CW_ERROR_UNSUPPORTED, "'%s' has %lld bytes, an ONNX file holds at most 2 GiB", path,
                   (long long)info.st_size);
  CW_TRY(cw_file_read(context, path, &bytes, &count));
  unpack_memory memory = {context, false, UNPACKED_PER_BYTE * count + UNPACKED_ON_TOP};
  ProtobufCAllocator allocator = {unpack_allocate, unpack_release, &memory};
  file->bytes = count;
  file->proto = cw_onnx__model_proto__unpack(&allocator, count, bytes);
  cw_release(context, bytes);
  if (!file->proto)
    return memory.failed ? CW_ERROR_MEMORY
                         : cw_fail(context, CW_ERROR_FORMAT, "'%s' is not an ONNX file, or a damaged one", path);
  cw_status status = check_versions(context, file->proto, &file->opset);
  if (status == CW_OK)
    status = folder_of(context, path, &file->folder);
  return status == CW_OK ? CW_OK : cw_onnx_close(context, path, file, status);
}

cw_status cw_onnx_close(cw_context *context, const char *path, cw_onnx_file *file, cw_status status) {
  unpack_memory memory = {context, false, 0};
  ProtobufCAllocator allocator = {unpack_allocate, unpack_release, &memory};
  cw_onnx__model_proto__free_unpacked(file->proto, &allocator);
  cw_release(context, file->folder);
  if (status == CW_OK || status == CW_ERROR_MEMORY)
    return status;
  char reason[384];
  size_t used = 0;
  for (const char *at = cw_context_message(context); *at && used < sizeof reason - 1; at++)
    reason[used++] = *at;
  reason[used] = '\0';
  return cw_fail(context, status, "'%s': %s", path, reason);
}
