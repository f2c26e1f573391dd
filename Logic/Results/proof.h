/* Internal: figures of one simulation that could come out badly, on the model's grid. */
#ifndef COUNTERWARP_RESULTS_PROOF_H
#define COUNTERWARP_RESULTS_PROOF_H

#include "counterwarp/model.h"

/* u: displacement of the request; network: S's output in the request's direction, opposite: in the other direction.
 * scratch: three fields of the model's grid, caller's. */
typedef struct cw_proof_request {
  const cw_model *model;
  const float *u, *network, *opposite;
  float strength;
  float *scratch;
  int threads;
} cw_proof_request;

/* Largest |phi_a(phi_b(x)) - phi(x)| in mm, phi_a and phi_b at 0.4 and 0.6 of the strength: 0 where the strengths of a
 * warp add up, as exp(a v) o exp(b v) = exp((a + b) v) says. */
cw_status cw_proof_composition(cw_context *context, const cw_proof_request *request, double *error);

/* Pearson correlation of log J of the two directions' fields at the strength, the other one's with its sign turned;
 * 0 where one of them does not vary. */
cw_status cw_proof_agreement(cw_context *context, const cw_proof_request *request, double *agreement);

/* Root mean square over voxels of the strain |Du| (Frobenius norm of the forward differences). */
double cw_proof_strain(const cw_proof_request *request);

/* Length in mm of a voxel displacement on the model's grid. */
double cw_length_mm(const cw_model *model, const float *u, size_t at);

#endif
