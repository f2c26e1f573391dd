// Models with drawn weights for the tests of ONNX files.
#ifndef COUNTERWARP_TESTING_MODEL_SAMPLES_H
#define COUNTERWARP_TESTING_MODEL_SAMPLES_H

#include <string>

#include "counterwarp/model.h"
#include "counterwarp/networks.h"

// Fails by exception: samples are not what is tested.
void check(cw_context *context, cw_status status);

// Draws every parameter and every running statistic.
void randomise(cw_graph *graph, uint64_t seed);

// The reference classifier.
cw_model sample_classifier(cw_context *context, int size, uint64_t seed);

// The reference simulator beside a classifier.
cw_model sample_simulator(cw_context *context, int size, cw_field_model field, bool by_direction_only, uint64_t seed);

// A simulator for an imported classifier, and its input of d x h x w voxels: the reference simulator with velocities if
// all are 32, otherwise a small one with displacements.
cw_model sample_for_import(cw_context *context, const std::string &path, const std::string &choice, const int size[3],
                           uint64_t seed);

// A simulator of 8 x 6 x 4 voxels that uses every operator which files can hold, as small as that goes.
cw_model sample_of_everything(cw_context *context);

#endif
