// counterwarp cohort: writes a cohort with known effect.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <locale>
#include <sstream>

#include "anatomy.h"
#include "commands.h"
#include "files.h"
#include "owned.h"

namespace program {

namespace {

std::string code(const char *prefix, int value) {
  char text[32];
  std::snprintf(text, sizeof text, "%s%04d", prefix, value);
  return text;
}

void write_volume(Context &context, const Path &file, const cw_volume &volume, cw_nifti_type type) {
  context.check(cw_nifti_write(context, file.c_str(), &volume, type));
}

// All of `text` as a number, with a point in every locale.
bool read_percent(const std::string &text, double &value) {
  std::istringstream stream(text);
  stream.imbue(std::locale::classic());
  return stream >> value && stream.eof();
}

// "NAME[+NAME..][:LOW..HIGH]" in per cent of volume (or brightness) lost; NAME is an atlas label, a stem of one
// ("Hippocampus" means both sides), or "ventricles".
cw_effect read_effect(const std::string &text, const LabelTable &labels, bool brightness) {
  const std::string option = brightness ? "--brightness " : "--effect ";
  cw_effect effect{};
  effect.brightness = brightness;
  const size_t colon = text.find(':');
  const std::string names = text.substr(0, colon);
  int count = 0;
  bool ventricles = false;
  for (size_t from = 0; from <= names.size();) {
    const size_t plus = std::min(names.find('+', from), names.size());
    const std::string name = names.substr(from, plus - from);
    from = plus + 1;
    std::vector<int> found;
    if (name == "ventricles") {
      found.push_back(-1);
      ventricles = true;
    } else {
      found = labels.find(name);
    }
    if (found.empty())
      throw Failure(option + text + ": the atlas has no region \"" + name +
                        "\"; give a name of its table, such as Hippocampus, or \"ventricles\".",
                    exit_usage);
    for (const int label : found) {
      if (count == 8)
        throw Failure(option + text + ": an effect takes at most 8 regions.", exit_usage);
      effect.labels[count++] = label;
    }
  }
  effect.low = ventricles && !brightness ? -0.35 : 0.15;
  effect.high = ventricles && !brightness ? -0.15 : 0.35;
  if (colon != std::string::npos) {
    const std::string range = text.substr(colon + 1);
    const size_t dots = range.find("..");
    double low = 0, high = -1;
    if (dots == std::string::npos || !read_percent(range.substr(0, dots), low) ||
        !read_percent(range.substr(dots + 2), high) || low > high || low < -100 || high > 60)
      throw Failure(option + text + ": the loss of " + (brightness ? "brightness" : "volume") +
                        " is given as LOW..HIGH in per cent between -100 and 60, such as 15..35.",
                    exit_usage);
    effect.low = low / 100;
    effect.high = high / 100;
  }
  return effect;
}

}  // namespace

void run_cohort(Context &context, const CohortRequest &request) {
  const Path out = request.out;
  Volume brain(context), atlas(context);
  cw_cohort_options options{};
  options.kind = request.kind == "brains" ? CW_COHORT_BRAINS : CW_COHORT_SPHERES;
  options.size = request.size;
  options.subjects = request.subjects;
  options.seed = request.seed;
  options.field_of_view = request.field_of_view;
  options.variability = request.variability;
  std::vector<std::string> effects = request.effects;
  bool moves = options.kind == CW_COHORT_SPHERES;  // else there is no log J to know
  if (options.kind == CW_COHORT_BRAINS) {
    const Anatomy anatomy = find_anatomy(request.brain, request.atlas, request.labels);
    const LabelTable labels(context, anatomy.labels);
    if (effects.empty() && request.brightness.empty())
      effects = {"Hippocampus"};
    if (effects.size() + request.brightness.size() > 4)
      throw Failure("--effect, --brightness: a cohort takes at most 4 effects.", exit_usage);
    moves = !effects.empty();
    for (const auto &text : effects)
      options.effects[options.effect_count++] = read_effect(text, labels, false);
    for (const auto &text : request.brightness)
      options.effects[options.effect_count++] = read_effect(text, labels, true);
    context.check(cw_nifti_read(context, anatomy.brain.c_str(), brain.get()));
    context.check(cw_nifti_read(context, anatomy.atlas.c_str(), atlas.get()));
    options.brain = brain.get();
    options.atlas = atlas.get();
  } else if (!effects.empty() || !request.brightness.empty()) {
    throw Failure("--effect and --brightness belong to --kind brains.", exit_usage);
  }
  Cohort cohort(context);
  context.check(cw_cohort_create(context, &options, cohort.out()));

  make_folder(out);
  const Path table_file = out / "participants.tsv";
  remove_file(table_file);  // the table comes last: where it stands, the cohort is whole
  context.on_interruption("The cohort is not complete; run the command again.");
  Rows table;
  table.columns = {"participant_id", "session_id", "group",        "image",
                   "truth_logjac",   "truth_mask", "truth_region", "severity"};
  const bool several = options.effect_count > 1;
  for (int e = 0; several && e < options.effect_count; e++)
    table.columns.push_back("truth_effect" + std::to_string(e + 1));
  const int effect_count = std::max(options.effect_count, 1);
  for (int e = -1; request.alone && e < effect_count; e++)
    table.columns.push_back(e < 0 ? "alone_none" : "alone_effect" + std::to_string(e + 1));
  const int count = 2 * request.subjects;
  for (int i = 0; i < count; i++) {
    context.part("Subjects", i, count);
    Subject subject(context);
    context.check(cw_cohort_subject(context, cohort.get(), i, subject.get()));
    const std::string id = code("sub-", i + 1), session = "ses-01";
    const std::string base = id + "/" + id + "_" + session + "_";
    make_folder(out / id);
    std::vector<std::string> row = {id, session, i % 2 ? "patient" : "control"};
    const auto put = [&](const char *name, const cw_volume &volume, cw_nifti_type type) {
      row.push_back(base + name + ".nii.gz");
      write_volume(context, out / row.back(), volume, type);
    };
    put("T1w", subject->image, CW_NIFTI_FLOAT32);
    if (moves) {
      put("truth-logjac", subject->truth_logjac, CW_NIFTI_FLOAT32);
      put("truth-mask", subject->truth_mask, CW_NIFTI_UINT8);
      put("truth-region", subject->truth_region, CW_NIFTI_UINT8);
    } else {
      row.insert(row.end(), 3, "n/a");
    }
    row.push_back(number(subject->severity, 4));
    for (int e = 0; several && e < options.effect_count; e++)
      put(("truth-effect" + std::to_string(e + 1)).c_str(), subject->effect_mask[e], CW_NIFTI_UINT8);
    for (int e = -1; request.alone && e < effect_count; e++) {
      Subject alone(context);
      context.check(cw_cohort_subject_alone(context, cohort.get(), i, e, alone.get()));
      put(e < 0 ? "alone-none" : ("alone-effect" + std::to_string(e + 1)).c_str(), alone->image, CW_NIFTI_FLOAT32);
    }
    table.rows.push_back(row);
  }
  context.whole();

  Json about;
  about["about"] = "A cohort with a known effect, made by counterwarp. For research use only.";
  about["kind"] = request.kind;
  about["size"] = request.size;
  about["subjects_per_group"] = request.subjects;
  about["seed"] = request.seed;
  about["variability"] = request.variability;
  if (options.kind == CW_COHORT_BRAINS)
    about["effects"] = effects;
  if (!request.brightness.empty())
    about["brightness"] = request.brightness;
  about["columns"] = {
      {"truth_logjac",
       "log of the Jacobian determinant of the disease-only pull-back on the subject's own grid; above 0 where tissue "
       "shrank; for controls what the average severity would do"},
      {"truth_mask", "1 where the effect is"},
      {"truth_region", "1 where maps are scored"},
      {"severity", "relative loss of the first effect; 0 for controls"}};
  if (request.alone)
    about["columns"]["alone_*"] = "the same scan with one effect alone, or none; controls at average severity";
  about["sign"] = "Injection is scored against +truth_logjac, removal against -truth_logjac.";
  about["versions"] = {{"counterwarp", cw_version()}};
  write_json(out / "participants.json", about);
  write_tsv(table_file, table);
  context.say("Wrote " + std::to_string(count) + " subjects: " + table_file.string());
}

void add_cohort(Program &program) {
  auto request = std::make_shared<CohortRequest>();
  CLI::App *command = program.add("cohort", "Write a cohort with a known effect",
                                  "counterwarp cohort --kind brains --out cohort --size 32 --subjects 150 --seed 1");
  command->add_option("--kind", request->kind, "spheres (synthetic), or brains (a real T1 scan, deformed)")
      ->required()
      ->check(CLI::IsMember({"spheres", "brains"}));
  command->add_option("--out", request->out, "Folder for the scans and participants.tsv")->required();
  command->add_option("--size", request->size, "Voxels a side: 32..128, divisible by 16")->capture_default_str();
  command->add_option("--subjects", request->subjects, "Subjects in each of the two groups")
      ->check(CLI::Range(1, 5000))
      ->capture_default_str();
  command->add_option("--seed", request->seed, "Seed of every random number")->capture_default_str();
  command->add_option("--effect", request->effects,
                      "brains: what changes in patients, as NAME[+NAME..][:LOW..HIGH], a region of the atlas or "
                      "`ventricles`, with the loss of volume in % (negative: growth); may be repeated. "
                      "Default: Hippocampus:15..35");
  command->add_option("--brightness", request->brightness,
                      "brains: what gets darker in patients, likewise in % of brightness: nothing moves, and no warp "
                      "explains it; may be repeated");
  command->add_flag("--alone", request->alone,
                    "Also each scan with one effect alone, and with none: `group --model` then tells whether log J "
                    "falls on what moves the classifier");
  command->add_option("--variability", request->variability, "Deformation between subjects, 1 as default")
      ->check(within(0.0, 3.0));
  command
      ->add_option("--field-of-view", request->field_of_view,
                   "Width of the image in mm. Default: 96 around the effect at size 32, else the whole head")
      ->check(within(0, 1000));
  command->add_option("--brain", request->brain, "brains: skull-stripped T1. Default: ch2bet of mricron-data");
  command->add_option("--atlas", request->atlas, "brains: labels on the same grid. Default: AAL of mricron-data");
  command->add_option("--labels", request->labels, "brains: the atlas's table of names");
  command->callback([&program, request] {
    program.work = [&program, request] {
      Context context(program.settings, request->seed);
      run_cohort(context, *request);
    };
  });
}

}  // namespace program
