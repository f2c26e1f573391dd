#include "scans.h"

#include <set>

namespace program {

namespace {

bool plain(const std::string &text) {
  if (text.empty() || text[0] == '.')
    return false;
  for (const unsigned char c : text)
    if (c < 0x20 || c == '/' || c == '\\' || c == ':' || c == 0x7f)
      return false;
  return true;
}

}  // namespace

std::string scan_id(const std::string &participant, const std::string &session) {
  return session.empty() ? participant : participant + "_" + session;
}

std::vector<Scan> scans_of_table(Context &context, const std::string &table_file) {
  Table table(context);
  context.check(cw_table_read(context, table_file.c_str(), table.get()));
  std::vector<Scan> scans;
  std::set<std::string> ids;
  for (int i = 0; i < table->count; i++) {
    const cw_scan &row = table->scans[i];
    Scan scan;
    scan.participant = row.participant;
    scan.session = row.session;
    scan.id = scan_id(scan.participant, scan.session);
    scan.group = row.group == CW_PATIENT ? "patient" : "control";
    scan.image = row.image;
    scan.transform = row.transform;
    scan.truth_logjac = row.truth_logjac;
    scan.truth_mask = row.truth_mask;
    scan.truth_region = row.truth_region;
    if (!plain(scan.id))
      throw Failure(table_file + ": participant \"" + scan.id + "\" cannot name a file.");
    if (!ids.insert(scan.id).second)
      throw Failure(table_file + ": two scans are called " + scan.id +
                    "; scans of one participant need different values of session_id.");
    scans.push_back(scan);
  }
  if (scans.empty())
    throw Failure(table_file + ": the table holds no scans.");
  return scans;
}

Scan scan_of_file(const std::string &image, const std::string &transform, const std::string &participant) {
  need_file(image, "the scan");
  Scan scan;
  scan.image = image;
  scan.transform = transform;
  scan.id = stem_of(image);
  if (!plain(scan.id))
    throw Failure(image + ": the file's name cannot name the outputs.");
  scan.participant = participant.empty() ? scan.id : participant;
  if (participant.empty() && scan.id.compare(0, 4, "sub-") == 0)
    scan.participant = scan.id.substr(0, scan.id.find('_'));
  return scan;
}

std::optional<bool> held_out(const cw_model &model, const Scan &scan, bool from_table) {
  if (cw_strings_contain(&model.trained_on, scan.participant.c_str()))
    return false;
  if (cw_strings_contain(&model.held_out, scan.participant.c_str()))
    return true;
  // The record names everybody who took part; a table's participant who is not among them took none.
  if (from_table && model.trained_on.count > 0)
    return true;
  return std::nullopt;
}

void add_scan_options(CLI::App *command, ScanChoice &choice) {
  auto *scan = command->add_option("SCAN", choice.scan, "A NIfTI image");
  auto *cohort = command->add_option("--cohort", choice.cohort, "A table of scans instead")->excludes(scan);
  command->add_option("--transform", choice.transform, "Affine that aligns the scan to the model")->excludes(cohort);
  command->add_option("--participant", choice.participant, "The scan's participant, to look up in the model's record")
      ->excludes(cohort);
  command->add_option("--group", choice.group, "Only this group of the table")
      ->check(CLI::IsMember({"control", "patient"}))
      ->needs(cohort);
  command->add_flag("--held-out-only", choice.held_out_only, "Only scans whose subject took no part in training")
      ->needs(cohort);
}

void need_scans(const ScanChoice &choice) {
  if (choice.scan.empty() == choice.cohort.empty())
    throw CLI::RequiredError("A SCAN or --cohort");
}

std::vector<Scan> chosen_scans(Context &context, const cw_model &model, const ScanChoice &choice) {
  const bool from_table = !choice.cohort.empty();
  if (!from_table)
    return {scan_of_file(choice.scan, choice.transform, choice.participant)};
  std::vector<Scan> scans;
  for (const Scan &scan : scans_of_table(context, choice.cohort))
    if ((choice.group.empty() || scan.group == choice.group) &&
        (!choice.held_out_only || held_out(model, scan, from_table) == true))
      scans.push_back(scan);
  if (scans.empty())
    throw Failure(choice.cohort + ": holds no scan of the kind asked for (" +
                  (choice.held_out_only ? "--held-out-only" : "--group " + choice.group) + ").");
  return scans;
}

void read_image(Context &context, const Scan &scan, Volume &volume) {
  context.check(cw_nifti_read(context, scan.image.c_str(), volume.get()));
}

void warn_of_shear(Context &context, const Scan &scan, const cw_grid &grid) {
  if (cw_grid_shear(&grid) > CW_SHEAR_ALLOWED)
    context.warn(
        scan.image +
        ": its axes are not at right angles, and ITK, 3D Slicer and ANTs refuse images on such a grid. For them "
        "resample it first (nibabel.processing.resample_to_output, for example).");
}

std::optional<cw_affine> read_transform(Context &context, const Scan &scan) {
  if (scan.transform.empty())
    return std::nullopt;
  cw_affine affine;
  context.check(cw_affine_read(context, scan.transform.c_str(), &affine));
  return affine;
}

const cw_affine *pointer(const std::optional<cw_affine> &affine) {
  return affine ? &*affine : nullptr;
}

std::vector<float> network_input(Context &context, const cw_model &model, const Scan &scan, bool inspect) {
  Volume volume(context);
  read_image(context, scan, volume);
  const auto transform = read_transform(context, scan);
  std::vector<float> input(cw_grid_samples(&model.preprocessing.grid));
  context.check(cw_preprocess(context, &model.preprocessing, volume.get(), pointer(transform), input.data()),
                scan.image);
  if (inspect && model.template_samples)
    cw_preprocess_inspect(context, &model.preprocessing, input.data(), model.template_samples, scan.image.c_str());
  return input;
}

void read_model(Context &context, const std::string &file, cw_model_kind kind, Model &model) {
  need_file(file, "the model");
  context.check(cw_model_read(context, file.c_str(), model.get()));
  if (model->kind != kind)
    throw Failure(file + (kind == CW_MODEL_SIMULATOR
                              ? ": is a classifier; a simulator (train-simulator) is needed here."
                              : ": is a simulator; a classifier (train-classifier) is needed here."));
}

Json affine_json(const cw_affine &affine) {
  Json rows = Json::array();
  for (const auto &r : affine.m)
    rows.push_back({r[0], r[1], r[2], r[3]});
  return rows;
}

cw_affine affine_of(const Json &json) {
  cw_affine affine;
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 4; c++)
      affine.m[r][c] = json.at(r).at(c).get<double>();
  return affine;
}

Json grid_json(const cw_grid &grid) {
  return {{"size", {grid.size[0], grid.size[1], grid.size[2]}}, {"to_world_lps", affine_json(grid.to_world)}};
}

cw_grid grid_of(const Json &json) {
  cw_grid grid;
  for (int a = 0; a < 3; a++)
    grid.size[a] = json.at("size").at(a).get<int>();
  grid.to_world = affine_of(json.at("to_world_lps"));
  return grid;
}

}  // namespace program
