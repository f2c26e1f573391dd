/* Writing displacement fields as NRRD. */
#include "counterwarp/nrrd.h"

#include <stdio.h>
#include <string.h>

#include "nifti_internal.h"

/* printf follows the host's locale; files have a point. */
static int put_number(char *text, size_t room, double value) {
  char number[40];
  snprintf(number, sizeof number, "%.17g", value);
  size_t length = 0;
  bool point = false;
  for (const char *c = number; *c && length + 1 < room; c++) {
    const bool plain = strchr("+-0123456789einfa", *c) != NULL;
    if (plain || !point)
      text[length++] = plain ? *c : '.';
    point = point || !plain;
  }
  text[length] = '\0';
  return (int)length;
}

/* Column c of the affine, as "(x,y,z)". */
static size_t put_column(char *text, size_t room, const cw_affine *affine, int c) {
  size_t length = 0;
  for (int r = 0; r < 3; r++) {
    text[length++] = r ? ',' : '(';
    length += (size_t)put_number(text + length, room - length - 2, affine->m[r][c]);
  }
  text[length++] = ')';
  text[length] = '\0';
  return length;
}

static void describe(const cw_grid *grid, char text[1024]) {
  const uint16_t one = 1;
  const bool little = *(const uint8_t *)&one;
  int length = snprintf(text, 1024,
                        "NRRD0005\n# Counterwarp %s\ntype: float\ndimension: 4\nspace: left-posterior-superior\n"
                        "sizes: 3 %d %d %d\nkinds: vector domain domain domain\nendian: %s\nencoding: raw\n"
                        "space directions: none ",
                        cw_version(), grid->size[0], grid->size[1], grid->size[2], little ? "little" : "big");
  for (int c = 0; c < 4; c++) {
    length += (int)put_column(text + length, 1024 - (size_t)length, &grid->to_world, c);
    length += snprintf(text + length, 1024 - (size_t)length, "%s", c < 2 ? " " : c < 3 ? "\nspace origin: " : "\n\n");
  }
}

static cw_status write_content(cw_context *context, cw_nifti_output *output, const void *what, void *memory) {
  const cw_volume *field = what;
  float *chunk = memory;
  char header[1024];
  describe(&field->grid, header);
  CW_TRY(cw_nifti_output_write(context, output, header, strlen(header)));
  const size_t samples = cw_grid_samples(&field->grid), most = CW_NIFTI_CHUNK / (3 * sizeof(float));
  for (size_t done = 0; done < samples; done += most) {
    const size_t count = samples - done < most ? samples - done : most;
    for (size_t i = 0; i < count; i++)
      for (size_t c = 0; c < 3; c++)
        chunk[3 * i + c] = field->data[c * samples + done + i];
    CW_TRY(cw_nifti_output_write(context, output, chunk, 3 * count * sizeof(float)));
  }
  return CW_OK;
}

cw_status cw_nrrd_write_field(cw_context *context, const char *path, const cw_volume *field) {
  const char *name = cw_nifti_name(path);
  if (!cw_nifti_ends_with(path, ".nrrd"))
    return cw_fail(context, CW_ERROR_ARGUMENT, "%s: expected a name that ends in .nrrd", name);
  if (!field->data || field->components != 3)
    return cw_fail(context, CW_ERROR_SHAPE, "%s: %d components to write, expected a field of 3", name,
                   field->components);
  CW_TRY(cw_nifti_expect_grid(context, &field->grid, name));
  return cw_nifti_output_whole(context, path, write_content, field);
}
