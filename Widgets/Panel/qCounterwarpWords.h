// Models and failures in words for the user.
#pragma once

#include "qCounterwarpData.h"

namespace qCounterwarpWords {

// "64 x 64 x 64 voxels of 3 mm ..": what the model expects and what it was trained on.
qCounterwarpModelInfo describe(const cw_model &model, const QString &file);
// "Aligned: ..": how far an alignment moves, turns and scales.
QString describe(const cw_affine &alignment);
// The library's sentence as a sentence: first letter large, full stop.
QString failure(const char *message);
// A stage of the library's work, as its progress names it, in the user's language.
QString stage(const char *name);
// "5 s", "2 min 10 s".
QString duration(double seconds);

}  // namespace qCounterwarpWords
