/* Internal: whole files. */
#ifndef COUNTERWARP_TENSOR_FILE_H
#define COUNTERWARP_TENSOR_FILE_H

#include "counterwarp/context.h"

/* A regular, non-empty file into *bytes (cw_release). */
cw_status cw_file_read(cw_context *context, const char *path, uint8_t **bytes, size_t *count);
/* The file appears whole under its name, or not at all: written beside it, synced, renamed. */
cw_status cw_file_write(cw_context *context, const char *path, const uint8_t *bytes, size_t count);

#endif
