#include "qCounterwarpData.h"

std::shared_ptr<qCounterwarpVolume> qCounterwarpVolume::empty() {
  std::shared_ptr<qCounterwarpVolume> made(new qCounterwarpVolume);
  return cw_context_create(nullptr, &made->context_) == CW_OK ? made : nullptr;
}

std::shared_ptr<qCounterwarpVolume> qCounterwarpVolume::create(const cw_grid &grid, int components) {
  const std::shared_ptr<qCounterwarpVolume> made = empty();
  return made && cw_volume_create(made->context_, &grid, components, &made->volume) == CW_OK ? made : nullptr;
}

qCounterwarpVolume::~qCounterwarpVolume() {
  if (!context_)
    return;
  cw_volume_free(context_, &volume);
  cw_context_free(context_);
}

qCounterwarpResult::~qCounterwarpResult() {
  if (!context)
    return;
  cw_simulation_free(context, &simulation);
  cw_context_free(context);
}
