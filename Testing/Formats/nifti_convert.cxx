// nifti_convert image IN OUT float32|int16|uint8 | field IN OUT ras|lps: reads and writes, for the tests in Python.
#include <cstdio>
#include <cstring>

#include "counterwarp/nifti.h"

int main(int argc, char **argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: nifti_convert image IN OUT float32|int16|uint8 | field IN OUT ras|lps\n");
    return 2;
  }
  cw_context_options options = {};
  options.warn = [](void *, const char *sentence) { std::fprintf(stderr, "warning: %s\n", sentence); };
  cw_context *context;
  if (cw_context_create(&options, &context) != CW_OK)
    return 2;
  cw_volume volume;
  cw_status status;
  if (std::strcmp(argv[1], "field") == 0) {
    status = cw_nifti_read_field(context, argv[2], &volume);
    if (status == CW_OK)
      status =
          cw_nifti_write_field(context, argv[3], &volume, std::strcmp(argv[4], "lps") ? CW_FIELD_RAS : CW_FIELD_LPS);
  } else {
    const cw_nifti_type type = !std::strcmp(argv[4], "int16")   ? CW_NIFTI_INT16
                               : !std::strcmp(argv[4], "uint8") ? CW_NIFTI_UINT8
                                                                : CW_NIFTI_FLOAT32;
    status = cw_nifti_read(context, argv[2], &volume);
    if (status == CW_OK)
      status = cw_nifti_write(context, argv[3], &volume, type);
  }
  if (status != CW_OK)
    std::fprintf(stderr, "%s: %s\n", cw_status_name(status), cw_context_message(context));
  cw_volume_free(context, &volume);
  cw_context_free(context);
  return status == CW_OK ? 0 : 1;
}
