// counterwarp model: what an ONNX file contains, whether it can be used, and its manifest.
#include "model.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "counterwarp/networks.h"
#include "owned.h"
#include "scans.h"
#include "training.h"

namespace program {

namespace {

using Description = Owned<cw_model_description, cw_model_description_free>;
using Strings = Owned<cw_strings, cw_strings_free>;

std::string joined(const cw_strings &strings, const char *between) {
  std::string text;
  for (int i = 0; i < strings.count; i++)
    text += (i ? between : "") + std::string(strings.item[i]);
  return text.empty() ? "none" : text;
}

std::string value_of(const cw_model_description &d, const std::string &key) {
  for (int i = 0; i < d.keys.count; i++)
    if (d.keys.item[i] == key)
      return d.values.item[i];
  return "";
}

// What the manifest holds, and the keys that it lacks.
std::string manifest_text(const cw_model_description &d) {
  static const std::pair<const char *, const char *> keys[] = {
      {"counterwarp.kind", "what it is"},
      {"counterwarp.grid_size", "size of the input (W H D)"},
      {"counterwarp.grid_to_lps_mm", "voxel size, orientation and place"},
      {"counterwarp.normalization", "intensities"},
      {"counterwarp.output", "output"},
      {"counterwarp.classes", "classes"}};
  std::string text, missing;
  for (const auto &[key, what] : keys) {
    const std::string value = value_of(d, key);
    const bool optional = std::string(key) == "counterwarp.output" || std::string(key) == "counterwarp.classes";
    if (!value.empty())
      text += std::string("  ") + what + ": " + value + "\n";
    else if (!optional)
      missing += std::string(missing.empty() ? "" : "; ") + what;
  }
  if (!missing.empty())
    text += "  missing: " + missing + " (`counterwarp model import` adds them)\n";
  return text;
}

std::string description_text(const std::string &file, const cw_model_description &d) {
  std::string text = file + "\n";
  text += "written by: " + std::string(d.producer) + " (ONNX IR " + std::to_string(d.ir_version) + ", operator set " +
          std::to_string(d.opset) + ")\n";
  text += "inputs: " + joined(d.inputs, "; ") + "\noutputs: " + joined(d.outputs, "; ") + "\n";
  text += "numbers in weights: " + std::to_string(d.parameters) + "\nweights in other files: " + joined(d.files, ", ") +
          "\noperators: " + joined(d.operators, ", ") + "\n";
  text += "not supported: " + joined(d.unsupported, "\n  ") + "\nmanifest:\n" + manifest_text(d);
  return text;
}

struct ModelRequest {
  std::string file, out, like, bundle, transforms, orientation, normalization, output, output_name, trained_on,
      held_out;
  std::vector<double> spacing, center{0, 0, 0};
  std::vector<int> size;
  std::vector<std::string> classes;
};

// Options first, then the bundle, then the file.
Manifest gather(const ModelRequest &request, const cw_model_description &d) {
  Manifest manifest;
  if (!request.bundle.empty())
    read_bundle(request.bundle, manifest);
  if (!request.transforms.empty())
    read_bundle_transforms(read_json(request.transforms), manifest);
  if (!request.spacing.empty())
    manifest.spacing = request.spacing;
  if (!request.orientation.empty())
    manifest.orientation = request.orientation;
  if (!request.normalization.empty())
    manifest.normalization = request.normalization;
  if (!request.classes.empty())
    manifest.classes = request.classes;
  manifest.output = request.output;
  for (size_t i = 0; i < 3; i++) {
    const int asked = request.size.empty() ? manifest.size[i] : request.size[i];
    if (d.input_size[i] > 1024)
      throw Failure(request.file + ": the input has more than 1024 samples along an axis.");
    if (d.input_size[i] && asked && asked != d.input_size[i])
      throw Failure(request.file + ": the file's input has " + std::to_string(d.input_size[i]) + " samples where " +
                    std::to_string(asked) + " are asked for.");
    manifest.size[i] = d.input_size[i] ? static_cast<int>(d.input_size[i]) : asked;
    if (manifest.size[i] < 1)
      throw Failure(request.file + ": the file leaves the size of its input open; --size D H W gives it.");
  }
  return manifest;
}

cw_output_choice choice_of(Context &context, const ModelRequest &request, const Manifest &manifest) {
  cw_output_choice choice = cw_output_choice_default();
  if (!manifest.output.empty())
    context.check(cw_output_choice_read(context, manifest.output.c_str(), &choice));
  if (!request.output_name.empty())
    choice.name = request.output_name.c_str();
  return choice;
}

// The logits of two images that any network should tell apart from nothing: zeros and a smooth pattern.
void try_out(Context &context, const cw_model &model, std::string &text) {
  const size_t samples = cw_grid_samples(&model.preprocessing.grid);
  std::vector<float> images(2 * samples);
  for (size_t i = 0; i < samples; i++)
    images[samples + i] = static_cast<float>(0.5 + 0.5 * std::sin(0.37 * static_cast<double>(i % 97)));
  float logits[2];
  context.check(cw_model_logits(context, &model, images.data(), 2, logits));
  text += "it runs: logit " + number(logits[0]) + " of zeros, " + number(logits[1]) + " of a pattern\n";
}

void warn_of_stored_activations(Context &context, const std::string &file, const cw_model &model) {
  Strings sentences(context);
  context.check(cw_graph_stored_activations(context, model.graph, sentences.get()));
  for (int i = 0; i < sentences->count; i++)
    context.warn(file + ": " + sentences->item[i] +
                 ". Resources/Scripts/export_classifier.py exports MONAI's networks without such copies.");
}

std::string simulator_text(Context &context, const cw_grid &grid) {
  const int *n = grid.size;
  int levels;
  if (n[0] != n[1] || n[1] != n[2])
    return "a simulator needs a cube, the input is " + std::to_string(n[2]) + " x " + std::to_string(n[1]) + " x " +
           std::to_string(n[0]);
  return cw_network_levels(context, n[0], &levels) == CW_OK ? "" : cw_context_message(context);
}

void run_model_info(Context &context, const ModelRequest &request) {
  Description d(context);
  context.check(cw_model_describe(context, request.file.c_str(), d.get()));
  print(description_text(request.file, *d));
}

// Reads the network as it would be used.
void read_as_asked(Context &context, const ModelRequest &request, const cw_model_description &d, bool complete,
                   cw_model *model) {
  if (complete && request.output.empty() && request.output_name.empty()) {
    context.check(cw_model_read(context, request.file.c_str(), model));
    return;
  }
  const Manifest manifest = gather(request, d);
  const cw_output_choice choice = choice_of(context, request, manifest);
  cw_preprocessing preprocessing{};
  for (size_t i = 0; i < 3; i++) {
    preprocessing.grid.size[2 - i] = manifest.size[i];
    preprocessing.grid.to_world.m[i][i] = 1;
  }
  context.check(cw_model_import(context, request.file.c_str(), &preprocessing, &choice, model));
}

// Says everything that it finds before it fails for any of it.
void run_model_check(Context &context, const ModelRequest &request) {
  Description d(context);
  context.check(cw_model_describe(context, request.file.c_str(), d.get()));
  print(description_text(request.file, *d));
  const bool complete = !value_of(*d, "counterwarp.kind").empty();
  std::vector<std::string> troubles;
  if (!complete)
    troubles.push_back("the manifest is missing; `counterwarp model import` adds it");
  if (d->unsupported.count)
    troubles.push_back(std::to_string(d->unsupported.count) +
                       (d->unsupported.count == 1 ? " node is not supported" : " nodes are not supported"));
  std::error_code none;
  for (int i = 0; i < d->files.count; i++)
    if (!std::filesystem::exists(Path(request.file).parent_path() / d->files.item[i], none))
      troubles.push_back(std::string("the file ") + d->files.item[i] + " with weights is not there");
  Model model(context);
  std::string text;
  try {
    if (d->unsupported.count) {
      gather(request, *d);
      throw Failure("the network was not read");
    }
    read_as_asked(context, request, *d, complete, model.get());
    try_out(context, *model, text);
    warn_of_stored_activations(context, request.file, *model);
    if (model->kind == CW_MODEL_CLASSIFIER) {
      const std::string simulator = simulator_text(context, model->preprocessing.grid);
      text += "a simulator can be trained for it: " + (simulator.empty() ? "yes" : "no, " + simulator) + "\n";
    }
  } catch (const Failure &failure) {
    if (failure.code > 128)  // an interruption
      throw;
    troubles.push_back(failure.what());
  }
  print(text);
  if (troubles.empty())
    return;
  std::string all;
  for (const std::string &trouble : troubles)
    all += (all.empty() ? "" : "\n  ") + trouble;
  throw Failure(request.file + ": " + all);
}

// The participants that a text file lists, one a line, or a table whose first column they are.
void read_participants(Context &context, const std::string &file, cw_strings &names) {
  if (file.empty())
    return;
  std::istringstream lines(read_text(file));
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(0, line.find_first_of("\t\r"));
    if (!line.empty() && line != "participant_id" && !cw_strings_contain(&names, line.c_str()))
      context.check(cw_strings_append(context, &names, line.c_str()));
  }
  if (!names.count)
    throw Failure(file + ": lists no participants.");
}

// What the logit tells apart, by names in the order of the network's outputs (of one output: below and above 0).
std::string classes_text(const Manifest &manifest, const cw_output_choice &choice, int64_t outputs) {
  const std::vector<std::string> &names = manifest.classes;
  const std::string asked = manifest.output.empty() ? "" : "; output " + manifest.output + " of the network";
  const size_t count = names.size();
  if (!count)
    return "logit below 0: control, above 0: patient" + asked;
  if (outputs > 0 && count != static_cast<size_t>(outputs) && !(outputs == 1 && count == 2))
    throw Failure("There are " + std::to_string(count) + " names of classes for " + std::to_string(outputs) +
                  (outputs == 1 ? " output." : " outputs."));
  for (const std::string &name : names)
    if (name.empty() || name.find_first_of("\n\r\t") != std::string::npos)
      throw Failure("The name of a class is empty or has more than one line.");
  const size_t positive = choice.positive >= 0 && outputs != 1 ? static_cast<size_t>(choice.positive) : count - 1;
  const size_t negative = choice.negative >= 0 ? static_cast<size_t>(choice.negative) : count;
  if (positive >= count || negative > count)
    throw Failure("The output " + manifest.output + " is beyond the " + std::to_string(count) + " classes.");
  std::string order, below = "not " + names[positive];
  for (const std::string &name : names)
    order += (order.empty() ? "" : ", ") + name;
  // A named output may hold one number (of the last class) or one for each class: not known here.
  if (!outputs && choice.alone && choice.positive == 0 && count == 2)
    return "logit of the network's output 0; order in the network: " + order + asked;
  if (negative < count)
    below = names[negative];
  else if (count == 2 && !choice.alone)
    below = names[1 - positive];
  return "logit below 0: " + below + ", above 0: " + names[positive] + "; order in the network: " + order + asked;
}

void run_model_import(Context &context, const ModelRequest &request) {
  Description d(context);
  context.check(cw_model_describe(context, request.file.c_str(), d.get()));
  Manifest manifest = gather(request, *d);
  for (const std::string &remark : manifest.remarks)
    context.say(remark);
  std::string missing;
  const auto need = [&](bool there, const char *what) {
    missing += there ? "" : std::string(missing.empty() ? "" : ", ") + what;
  };
  if (manifest.spacing.size() == 1)
    manifest.spacing.resize(3, manifest.spacing[0]);
  need(!request.like.empty() || manifest.spacing.size() == 3, "--spacing or --like");
  need(!manifest.orientation.empty(), "--orientation");
  need(!manifest.normalization.empty(), "--normalization");
  if (!missing.empty())
    throw Failure(request.file + ": what the network's input is must be said: " + missing + ".", exit_usage);
  cw_preprocessing preprocessing{};
  read_normalization(manifest.normalization, preprocessing);
  if (request.like.empty()) {
    for (const double step : manifest.spacing)
      if (!(step > 0 && step <= 100))
        throw Failure("The voxel sizes should lie within 0 to 100 mm.", exit_usage);
    preprocessing.grid = manifest_grid(manifest, {request.center[0], request.center[1], request.center[2]});
  } else {
    Volume image(context);
    context.check(cw_nifti_read(context, request.like.c_str(), image.get()));
    preprocessing.grid = grid_like(image->grid, manifest.orientation);
    for (size_t i = 0; i < 3; i++)
      if (preprocessing.grid.size[2 - i] != manifest.size[i])
        throw Failure(request.like + ": has other sizes than the network's input once its axes run " +
                      manifest.orientation + ".");
  }
  const cw_output_choice choice = choice_of(context, request, manifest);
  Model model(context);
  context.check(cw_model_import(context, request.file.c_str(), &preprocessing, &choice, model.get()));
  model->classes =
      cw_copy_string(context, classes_text(manifest, choice, request.output_name.empty() ? d->classes : 0).c_str());
  if (!model->classes)
    throw Failure(cw_context_message(context));
  read_participants(context, request.trained_on, model->trained_on);
  read_participants(context, request.held_out, model->held_out);
  for (int i = 0; i < model->held_out.count; i++)
    if (cw_strings_contain(&model->trained_on, model->held_out.item[i]))
      throw Failure(std::string("The participant ") + model->held_out.item[i] +
                    " is listed both as trained on and as held out.");
  Json provenance;
  provenance["about"] = "Classifier imported by counterwarp. For research use only.";
  provenance["command"] = "model import";
  provenance["versions"] = {{"counterwarp", cw_version()}};
  provenance["file"] = Path(request.file).filename().string();
  provenance["fingerprint"] = fingerprint(request.file);
  provenance["producer"] = d->producer;
  provenance["output"] = manifest.output.empty() ? "default" : manifest.output;
  if (!request.output_name.empty())
    provenance["output_name"] = request.output_name;
  if (!manifest.classes.empty())
    provenance["classes"] = manifest.classes;
  record_provenance(context, provenance, *model);
  std::string text;
  try_out(context, *model, text);
  warn_of_stored_activations(context, request.file, *model);
  context.check(cw_model_write(context, request.out.c_str(), model.get()));
  text.pop_back();
  context.say("The network is supported; " + text + ".");
  const std::string simulator = simulator_text(context, preprocessing.grid);
  if (!simulator.empty())
    context.warn("no simulator can be trained for it: " + simulator + ".");
  context.say("Wrote " + request.out);
}

void run_model_image(Context &context, const ModelRequest &request) {
  Model model(context);
  read_model(context, request.file, CW_MODEL_SIMULATOR, model);
  model->image_output = true;
  context.check(cw_model_write(context, request.out.c_str(), model.get()));
  context.say("Wrote " + request.out + ", with the warped image as the output \"warped\"");
}

void add_output_options(CLI::App *command, ModelRequest &request) {
  command->add_option("FILE", request.file, "An ONNX file")->required();
  command->add_option("--output", request.output,
                      "The patients' class: \"1\" (against all others), \"1 against 0\", or \"3 alone\" (the number as "
                      "it is). A final sigmoid or softmax is taken off");
  command->add_option("--output-name", request.output_name, "The output, where there are several");
  command->add_option("--size", request.size, "Size of the input (D H W) where the file leaves it open")
      ->expected(3)
      ->check(CLI::Range(1, 1024));
  command->add_option("--bundle", request.bundle, "A MONAI bundle's metadata.json: size and classes");
}

}  // namespace

void add_model(Program &program) {
  auto request = std::make_shared<ModelRequest>();
  CLI::App *command = program.add("model", "Look at a classifier from elsewhere, and make it usable here",
                                  "counterwarp model import theirs.onnx --out classifier.onnx --spacing 2 "
                                  "--orientation RAS --normalization \"zscore\"");
  command->require_subcommand(1);
  const auto work = [&program, request](void (*run)(Context &, const ModelRequest &)) {
    return [&program, request, run] {
      program.work = [&program, request, run] {
        Context context(program.settings);
        run(context, *request);
      };
    };
  };
  CLI::App *info = command->add_subcommand("info", "What a file contains");
  info->add_option("FILE", request->file, "An ONNX file")->required();
  info->callback(work(run_model_info));
  CLI::App *check = command->add_subcommand("check", "The same, and whether everything is there to use it");
  add_output_options(check, *request);
  check->callback(work(run_model_check));
  CLI::App *image = command->add_subcommand(
      "image", "A simulator whose file gives the warped image, too, for onnxruntime 1.18 and later");
  image->add_option("FILE", request->file, "A simulator")->required();
  image->add_option("--out", request->out, "The model to write")->required();
  image->callback(work(run_model_image));
  CLI::App *import = command->add_subcommand("import", "Attach what the input is, and which output says patient");
  add_output_options(import, *request);
  import->add_option("--out", request->out, "The model to write")->required();
  import->add_option("--spacing", request->spacing, "Voxel size in mm along D, H, W, or one for all")->expected(1, 3);
  import->add_option("--orientation", request->orientation,
                     "Where D, H and W of the input point to, such as RAS (MONAI's Orientation)");
  import->add_option(
      "--normalization", request->normalization,
      "Intensities: none, minmax, zscore (over what is above 0), \"zscore all\", \"percentile P\", \"range "
      "LOW HIGH\"");
  import->add_option("--center", request->center, "World point in the middle of the input (RAS, mm)")->expected(3);
  import->add_option("--classes", request->classes,
                     "Names of the classes in the order of the network's outputs; for a single output, what it says "
                     "below and above 0");
  import->add_option("--like", request->like, "An image as the network takes it, for the grid");
  import->add_option("--transforms", request->transforms,
                     "A MONAI bundle's configuration (inference.json): voxel size, orientation, intensities");
  import->add_option(
      "--trained-on", request->trained_on,
      "Participants that taught it, one a line or a table's first column: train-simulator then knows who "
      "is held out");
  import->add_option("--held-out", request->held_out, "Participants that it has not seen");
  import->callback(work(run_model_import));
}

}  // namespace program
