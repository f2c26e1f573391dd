// A simulator whose output is known: field = direction * V + mean(image) * M, logit = w . image + b.
#pragma once

#include "results_fixture.h"

namespace results_test {

struct FakeModel {
  cw_field_model field = CW_FIELD_VELOCITY;
  cw_grid grid = {};
  std::vector<float> V, M, w;  // V, M: [3][nz][ny][nx] voxels; w: [nz][ny][nx]
  float b = 0.25f;

  FakeModel() {
    const double center[3] = {1, 2, -3};
    grid = ObliqueGrid(16, 14, 12, 3.2, 3.0, 3.5, -0.3, center);
    const size_t n = Samples();
    V.assign(3 * n, 0);
    M.assign(3 * n, 0);
    w.assign(n, 0);
  }
  size_t Samples() const { return cw_grid_samples(&grid); }

  // 1 in the middle of the grid, 0 on its faces.
  double Window(int i, int j, int k) const {
    const int p[3] = {i, j, k};
    double product = 1;
    for (int axis = 0; axis < 3; axis++)
      product *= std::sin(M_PI * p[axis] / (grid.size[axis] - 1));
    return product;
  }
  // A smooth field that differs along every axis, at most about `largest` voxels.
  void Wave(std::vector<float> &field, double largest, double phase) const {
    const size_t n = Samples();
    ForEach(grid, [&](size_t at, int i, int j, int k, const double *) {
      for (int axis = 0; axis < 3; axis++)
        field[axis * n + at] =
            float(largest * Window(i, j, k) * std::cos(phase + axis + 0.2 * i - 0.1 * j * (axis + 1) + 0.15 * k));
    });
  }
  // A pull-back that samples farther out: what is in the middle shrinks.
  void Shrink(std::vector<float> &field, double rate) const {
    const size_t n = Samples();
    ForEach(grid, [&](size_t at, int i, int j, int k, const double *) {
      const int p[3] = {i, j, k};
      for (int axis = 0; axis < 3; axis++)
        field[axis * n + at] = float(rate * Window(i, j, k) * (p[axis] - 0.5 * (grid.size[axis] - 1)));
    });
  }
  double Logit(const float *image) const {
    double sum = b;
    for (size_t i = 0; i < w.size(); i++)
      sum += double(w[i]) * image[i];
    return sum;
  }

  cw_status Build(cw_context *context, cw_model *model) const {
    *model = {};
    model->kind = CW_MODEL_SIMULATOR;
    model->field = field;
    model->preprocessing = {grid, CW_NORMALIZE_PERCENTILE, 99.5, 0};
    const cw_status status = Fill(context, model);
    if (status != CW_OK)
      cw_model_free(context, model);
    return status;
  }

 private:
  cw_status Fill(cw_context *context, cw_model *model) const {
    CW_TRY(cw_graph_create(context, &model->graph));
    cw_graph *g = model->graph;
    const int64_t nx = grid.size[0], ny = grid.size[1], nz = grid.size[2], n = nx * ny * nz;
    std::vector<float> columns;  // [3 n][2]
    for (size_t i = 0; i < V.size(); i++)
      columns.insert(columns.end(), {M[i], V[i]});
    const cw_attributes plain = cw_attributes_default();
    const auto node = [&](cw_operator op, const char *name, std::initializer_list<cw_value> in, const cw_attributes &a,
                          cw_value *out) {
      return cw_graph_node(context, g, op, name, &a, in.begin(), int(in.size()), out);
    };
    const auto to = [&](cw_shape shape) {
      cw_attributes a = plain;
      a.shape = shape;
      return a;
    };
    cw_value image, direction, pooled, mean, both, weight, wide, velocity, flat, row, bias, logit;
    CW_TRY(cw_graph_input(context, g, "image", CW_SHAPE(CW_BATCH, 1, nz, ny, nx), &image));
    CW_TRY(cw_graph_input(context, g, "direction", CW_SHAPE(CW_BATCH, 1), &direction));
    CW_TRY(cw_graph_parameter(context, g, "columns", CW_SHAPE(3 * n, 2), true, columns.data(), &weight));
    CW_TRY(cw_graph_parameter(context, g, "row", CW_SHAPE(1, n), true, w.data(), &row));
    CW_TRY(cw_graph_parameter(context, g, "bias", CW_SHAPE(1), true, &b, &bias));
    CW_TRY(node(CW_OP_GLOBAL_AVERAGE_POOL, "pooled", {image}, plain, &pooled));
    CW_TRY(node(CW_OP_RESHAPE, "mean", {pooled}, to(CW_SHAPE(CW_BATCH, 1)), &mean));
    CW_TRY(node(CW_OP_CONCAT, "both", {mean, direction}, plain, &both));
    CW_TRY(node(CW_OP_GEMM, "wide", {both, weight}, plain, &wide));
    CW_TRY(node(CW_OP_RESHAPE, field == CW_FIELD_VELOCITY ? "velocity" : "displacement", {wide},
                to(CW_SHAPE(CW_BATCH, 3, nz, ny, nx)), &velocity));
    CW_TRY(node(CW_OP_RESHAPE, "flat", {image}, to(CW_SHAPE(CW_BATCH, n)), &flat));
    CW_TRY(node(CW_OP_GEMM, "logit", {flat, row, bias}, plain, &logit));
    CW_TRY(cw_graph_output(context, g, velocity));
    return cw_graph_output(context, g, logit);
  }
};

}  // namespace results_test
