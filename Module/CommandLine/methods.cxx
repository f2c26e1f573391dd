#include "methods.h"

#include <cctype>

namespace program {

namespace {

std::vector<std::string> usual_methods() {
  std::vector<std::string> names;
  while (const char *name = cw_saliency_usual(static_cast<int>(names.size())))
    names.push_back(name);
  return names;
}

// gradcam-plusplus.signed -> gradcamPlusplusSigned
std::string label_of(const std::string &name) {
  std::string label;
  bool upper = false;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      label += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = !std::isalnum(static_cast<unsigned char>(c));
  }
  return label;
}

cw_saliency_request request_of(Context &context, const cw_model &model, const MethodOptions &options,
                               const std::string &name) {
  cw_saliency_request request;
  context.check(cw_saliency_parse(context, name.c_str(), &request));
  if (!options.layer.empty()) {
    request.layer = cw_graph_find(model.graph, options.layer.c_str());
    if (request.layer == CW_NONE)
      throw Failure("--layer " + options.layer + ": the model has no value of that name.", exit_usage);
  }
  const bool steps = request.method == CW_SALIENCY_INTEGRATED_GRADIENTS;
  request.samples = (steps ? options.steps : options.samples).value_or(request.samples);
  request.noise = options.noise.value_or(request.noise);
  request.percentile = options.percentile.value_or(request.percentile);
  request.lrp.epsilon = options.epsilon.value_or(request.lrp.epsilon);
  request.window = options.window.value_or(0);
  request.fill = static_cast<float>(options.fill.value_or(0));
  request.seed = 1;
  return request;
}

}  // namespace

void declare(MethodOptions &o, CLI::App *command, bool one_output) {
  command
      ->add_option("--methods", o.names,
                   "Methods, comma separated: METHOD or METHOD.signed, .positive, .absolute, with METHOD one of "
                   "gradient, gradient-x-input, smoothgrad, integrated-gradients, gradcam, gradcam-plusplus, fullgrad, "
                   "guided-backprop, rectgrad, rectgrad-x-input, lrp-epsilon, lrp-zplus, lrp-absolute, "
                   "lrp-alpha2-beta1, lrp-composite, occlusion. Default: all, in the usual and the signed form")
      ->delimiter(',');
  command->add_option("--layer", o.layer, "Layer of the GradCAM family. Default: the last rectifier's maps");
  if (one_output) {
    command->add_option("--output", o.output, "Which logit to explain, from 0")->check(CLI::Range(0, 1000000));
    command->add_flag("--negative", o.negative, "Explain the logit's negative: with one logit, the other class");
    command
        ->add_option("--smooth", o.smooth, "Smooth every map with a Gaussian of this many voxels of the model's grid")
        ->check(within(0.0, 100.0))
        ->capture_default_str();
  }
  command->add_option("--samples", o.samples, "SmoothGrad: noisy copies. Default: 16")->check(CLI::Range(1, 100000));
  command->add_option("--noise", o.noise, "SmoothGrad: noise as a share of the image's range. Default: 0.03")
      ->check(within(0.0, 10.0));
  command->add_option("--steps", o.steps, "Integrated gradients: steps. Default: 32")->check(CLI::Range(1, 100000));
  command->add_option("--percentile", o.percentile, "RectGrad: percentile. Default: 90")->check(within(0.0, 99.999));
  command->add_option("--epsilon", o.epsilon, "LRP: epsilon. Default: 1e-6")->check(within(1e-30, 1e30));
  command->add_option("--window", o.window, "Occlusion: side of the box in voxels. Default: an eighth of the volume")
      ->check(CLI::Range(1, 1000));
  command->add_option("--fill", o.fill, "Occlusion: what fills the box. Default: 0")->check(within(-1e30, 1e30));
}

std::vector<Method> methods_of(Context &context, const cw_model &model, const MethodOptions &options, bool quick) {
  std::vector<Method> methods;
  const bool all = options.names.empty();
  for (const std::string &name : all ? usual_methods() : options.names) {
    Method method;
    method.request = request_of(context, model, options, name);
    if (all && quick && method.request.method == CW_SALIENCY_OCCLUSION)
      continue;
    const cw_status status = cw_saliency_check(context, model.graph, &method.request);
    if (all && status == CW_ERROR_UNSUPPORTED) {
      context.warn(std::string(cw_context_message(context)) + "; it is left out.");
      continue;
    }
    context.check(status);
    char full[64];
    cw_saliency_name(&method.request, full);
    method.name = full;
    method.label = label_of(full);
    for (const Method &other : methods)
      if (other.name == method.name)
        throw Failure("--methods: " + method.name + " is named twice.", exit_usage);
    methods.push_back(method);
  }
  return methods;
}

void make_saliency(Context &context, const cw_model &model, const std::vector<Method> &methods, Saliency &saliency) {
  std::vector<cw_saliency_request> requests;
  for (const Method &method : methods)
    requests.push_back(method.request);
  context.check(
      cw_saliency_create(context, model.graph, requests.data(), static_cast<int>(requests.size()), saliency.out()));
}

MethodMaps maps_of(Context &context, const cw_model &model, cw_saliency *saliency, const MethodOptions &options,
                   size_t count, const std::vector<float> &input) {
  MethodMaps result;
  result.maps.assign(count, std::vector<float>(input.size()));
  result.notes.resize(count);
  std::vector<float *> pointers;
  for (auto &map : result.maps)
    pointers.push_back(map.data());
  context.check(cw_saliency_maps(context, saliency, input.data(), {options.output, options.negative}, pointers.data(),
                                 result.notes.data()));
  for (size_t m = 0; options.smooth > 0 && m < count; m++) {
    if (!result.notes[m].finite)
      continue;
    Volume volume(context);
    context.check(cw_volume_create(context, &model.preprocessing.grid, 1, volume.get()));
    std::copy(result.maps[m].begin(), result.maps[m].end(), volume->data);
    context.check(cw_volume_smooth(context, volume.get(), options.smooth));
    std::copy(volume->data, volume->data + input.size(), result.maps[m].begin());
  }
  return result;
}

void on_scan(Context &context, const cw_model &model, const std::vector<float> &map, const cw_affine *transform,
             const cw_grid &grid, Volume &volume) {
  cw_affine to_model = cw_affine_identity();
  if (transform)
    context.check(cw_affine_invert(context, transform, &to_model));
  Volume own(context);
  context.check(cw_volume_create(context, &model.preprocessing.grid, 1, own.get()));
  std::copy(map.begin(), map.end(), own->data);
  context.check(cw_volume_create(context, &grid, 1, volume.get()));
  context.check(cw_volume_resample(context, own.get(), &to_model, volume.get()));
}

std::vector<float> foreground(const std::vector<float> &input) {
  std::vector<float> region(input.size());
  size_t count = 0;
  for (size_t i = 0; i < input.size(); i++) {
    region[i] = input[i] != 0;
    count += input[i] != 0;
  }
  if (count < input.size() / 100)
    std::fill(region.begin(), region.end(), 1.0f);
  return region;
}

}  // namespace program
