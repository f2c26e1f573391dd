// Attributes of a cubic window, for tests that build graphs.
#pragma once

#include "counterwarp/graph.h"

inline cw_attributes window(int kernel, int stride, int pad) {
  cw_attributes a = cw_attributes_default();
  for (int i = 0; i < 3; i++) {
    a.kernel[i] = kernel;
    a.stride[i] = stride;
    a.pads[i] = a.pads[i + 3] = pad;
  }
  return a;
}
