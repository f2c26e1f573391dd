// Saliency methods by name, as `saliency` and `sanity` take them.
#pragma once

#include "counterwarp/saliency.h"
#include "scans.h"

namespace program {

using Saliency = Handle<cw_saliency, cw_saliency_free>;

// one_output: with the options that choose the output and smooth the maps.
void declare(MethodOptions &options, CLI::App *command, bool one_output);

struct Method {
  cw_saliency_request request;
  std::string name;   // "gradcam.signed"
  std::string label;  // "gradcamSigned", for file names in the manner of BIDS
};
// The methods asked for; a failure where one has no rule for the model.  Without any asked for: all that have, and a
// warning about the others; `quick` leaves out Occlusion, which takes hundreds of forward passes.
std::vector<Method> methods_of(Context &context, const cw_model &model, const MethodOptions &options, bool quick);

// Maps of all methods on the model's grid, smoothed as the options ask.
struct MethodMaps {
  std::vector<std::vector<float>> maps;
  std::vector<cw_saliency_note> notes;
};
MethodMaps maps_of(Context &context, const cw_model &model, cw_saliency *saliency, const MethodOptions &options,
                   size_t count, const std::vector<float> &input);
// A handle on all methods at once.
void make_saliency(Context &context, const cw_model &model, const std::vector<Method> &methods, Saliency &saliency);
// A map of the model's grid on a scan's own grid, zero outside the model's box.
void on_scan(Context &context, const cw_model &model, const std::vector<float> &map, const cw_affine *transform,
             const cw_grid &grid, Volume &volume);
// Voxels of the input that are not exactly 0 (all, if those are few): where maps are compared.
std::vector<float> foreground(const std::vector<float> &input);

}  // namespace program
