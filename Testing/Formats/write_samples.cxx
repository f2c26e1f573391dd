// Writes models with drawn weights, an input and our outputs, for onnx_onnxruntime.py: NAME.onnx, NAME.image.f32,
// NAME.direction.f32, and one NAME.<output>.f32 for each output.  onnx_samples FOLDER FAMILIES: of the library's own
// networks, and of simulators for each imported classifier that FAMILIES/index.tsv lists (families.py).
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "counterwarp/random.h"
#include "counterwarp/warp.h"
#include "Formats/model_samples.h"

namespace {

void save(const std::string &path, const std::vector<float> &data) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(data.data()), static_cast<std::streamsize>(data.size() * sizeof(float)));
  if (!file)
    throw std::runtime_error("cannot write " + path);
}

void write(cw_context *context, cw_model model, const std::string &name, double lowest = 0) {
  check(context, cw_model_write(context, (name + ".onnx").c_str(), &model));
  const size_t samples = cw_grid_samples(&model.preprocessing.grid);
  const int count = model.kind == CW_MODEL_CLASSIFIER ? 3 : 1;
  std::vector<float> image(samples * static_cast<size_t>(count)), logit(static_cast<size_t>(count)), field(3 * samples);
  cw_random random = cw_random_stream(17, 0);
  for (float &value : image)
    value = static_cast<float>(cw_random_uniform(&random, lowest, 1));
  check(context, cw_model_logits(context, &model, image.data(), count, logit.data()));
  save(name + ".image.f32", image);
  save(name + ".logit.f32", logit);
  if (model.kind == CW_MODEL_SIMULATOR) {
    check(context, cw_model_fields(context, &model, image.data(), 1, -1, field.data()));
    save(name + ".direction.f32", {-1});
    if (model.image_output) {
      const int *size = model.preprocessing.grid.size;
      std::vector<float> u(3 * samples), warped(samples);
      check(context, cw_model_displacement(context, &model, field.data(), 1, u.data()));
      cw_warp_forward(size, 1, image.data(), u.data(), warped.data(), 1);
      save(name + ".warped.f32", warped);
    }
    save(name + (model.field == CW_FIELD_VELOCITY ? ".velocity.f32" : ".displacement.f32"), field);
  }
  cw_model_free(context, &model);
}

// Each without the warped image (operator set 17) and with it (20).
void write_for_imports(cw_context *context, const std::string &families, const std::string &folder) {
  std::ifstream index(families + "/index.tsv");
  uint64_t seed = 20;
  for (std::string line; std::getline(index, line);) {
    std::string name, choice;
    int size[3];
    std::istringstream cells(line);
    cells >> name >> size[0] >> size[1] >> size[2] >> std::ws;
    std::getline(cells, choice);
    for (const bool image : {false, true}) {
      cw_model model =
          sample_for_import(context, families + "/" + name + ".onnx", choice == "default" ? "" : choice, size, ++seed);
      model.image_output = image;
      write(context, model, folder + (image ? "image-" : "") + "imported-" + name, -1);  // as families.py settles them
    }
  }
}

}  // namespace

int main(int argc, char **argv) try {
  if (argc != 3)
    throw std::runtime_error("usage: onnx_samples FOLDER FAMILIES");
  const std::string folder = std::string(argv[1]) + "/";
  cw_context *context = nullptr;
  if (cw_context_create(nullptr, &context) != CW_OK)
    throw std::runtime_error("memory");
  write(context, sample_classifier(context, 32, 1), folder + "classifier");
  write(context, sample_classifier(context, 48, 2), folder + "classifier48");
  write(context, sample_simulator(context, 32, CW_FIELD_VELOCITY, false, 3), folder + "velocity");
  write(context, sample_simulator(context, 32, CW_FIELD_DISPLACEMENT, true, 4), folder + "displacement");
  write(context, sample_of_everything(context), folder + "everything");
  // The warped image as an output, too: of small and of large velocities, and of displacements.
  cw_model model = sample_simulator(context, 32, CW_FIELD_VELOCITY, false, 5);
  model.image_output = true;
  write(context, model, folder + "image-velocity");
  model = sample_simulator(context, 32, CW_FIELD_DISPLACEMENT, true, 6);
  model.image_output = true;
  write(context, model, folder + "image-displacement");
  model = sample_of_everything(context);
  model.image_output = true;
  write(context, model, folder + "image-everything");
  write_for_imports(context, argv[2], folder);
  cw_context_free(context);
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "onnx_samples: %s\n", error.what());
  return 1;
}
