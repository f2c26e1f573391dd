// A head small enough to make cohorts of in no time: an ellipsoid with texture, two labelled balls and a dark hole.
#ifndef COUNTERWARP_TESTING_COHORT_PHANTOM_H
#define COUNTERWARP_TESTING_COHORT_PHANTOM_H

#include "Cohort/cohort_internal.h"
#include "cohort_fixture.h"

namespace cohort_test {

class Phantom : public ContextTest {
 protected:
  // 2.5 mm voxels stored with axes in the order S, L, P, so that nothing may rely on a template's own order.
  Phantom() : brain(context), atlas(context) {
    cw_grid on = {};
    on.size[0] = 40, on.size[1] = 48, on.size[2] = 52;
    on.to_world.m[2][0] = on.to_world.m[0][1] = on.to_world.m[1][2] = 2.5;
    on.to_world.m[2][3] = -40, on.to_world.m[0][3] = -60, on.to_world.m[1][3] = -45;
    cw_volume_create(context, &on, 1, &brain);
    cw_volume_create(context, &on, 1, &atlas);
    size_t at = 0;
    for (int k = 0; k < on.size[2]; k++)
      for (int j = 0; j < on.size[1]; j++)
        for (int i = 0; i < on.size[0]; i++, at++) {
          const double index[3] = {double(i), double(j), double(k)};
          double p[3];
          cw_affine_apply(&on.to_world, index, p);
          const double x = p[0], y = p[1] - 20, z = p[2] - 9;
          if (std::hypot(x / 52, y / 58, z / 42) > 1)
            continue;
          const double right = std::hypot(x + 20, y - 2, z + 6), left = std::hypot(x - 20, y - 2, z + 6);
          const double hole = std::hypot(x / 1.5, y, z - 8);
          brain.data[at] = float(100 + 20 * std::sin(x / 5) * std::cos(y / 6) * std::cos(z / 5));
          if (right < 9 || left < 9) {
            brain.data[at] -= 40;
            atlas.data[at] = right < 9 ? 38 : 37;
          }
          if (hole < 7)
            brain.data[at] = 15;
          else if (atlas.data[at] == 0 && y < -30)
            atlas.data[at] = 5;
        }
    options.kind = CW_COHORT_BRAINS;
    options.size = 32;
    options.subjects = 10;
    options.seed = 3;
    options.brain = &brain;
    options.atlas = &atlas;
  }
  ~Phantom() override { cw_cohort_free(context, cohort); }

  cw_status Create() {
    cw_cohort_free(context, cohort);
    return cw_cohort_create(context, &options, &cohort);
  }

  Volume brain, atlas;
  cw_cohort_options options = {};
  cw_cohort *cohort = nullptr;
};

}  // namespace cohort_test
#endif
