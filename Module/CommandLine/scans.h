// Scans that a model is applied to: one file, or the rows of a table.
#pragma once

#include <optional>

#include "commands.h"
#include "files.h"
#include "owned.h"

namespace program {

struct Scan {
  std::string id;  // participant[_session]; names the outputs
  std::string participant, session;
  std::string group;             // "control", "patient", "" if unknown
  std::string image, transform;  // files; transform "" for none
  std::string truth_logjac, truth_mask, truth_region;
};

// Rows of a table with ids that are distinct and fit for file names.
std::vector<Scan> scans_of_table(Context &context, const std::string &table_file);
// What a scan of a table is called.
std::string scan_id(const std::string &participant, const std::string &session);
// A single file; its participant is the name asked for, else the first part of a BIDS file name (sub-0001_..), else
// the whole name.
Scan scan_of_file(const std::string &image, const std::string &transform, const std::string &participant);

// Whether the model's record says that the participant took no part in its training; nothing if it does not know.
std::optional<bool> held_out(const cw_model &model, const Scan &scan, bool from_table);

// The options of a choice; and the scans chosen, one at least.
void add_scan_options(CLI::App *command, ScanChoice &choice);
void need_scans(const ScanChoice &choice);  // a parser's complaint without SCAN and --cohort
std::vector<Scan> chosen_scans(Context &context, const cw_model &model, const ScanChoice &choice);

void read_image(Context &context, const Scan &scan, Volume &volume);
// What is written on the scan's own grid cannot be read everywhere if that shears.
void warn_of_shear(Context &context, const Scan &scan, const cw_grid &grid);
std::optional<cw_affine> read_transform(Context &context, const Scan &scan);
const cw_affine *pointer(const std::optional<cw_affine> &affine);
// The scan as the model's input; inspect: with warnings where it looks wrong for it.
std::vector<float> network_input(Context &context, const cw_model &model, const Scan &scan, bool inspect);
void read_model(Context &context, const std::string &file, cw_model_kind kind, Model &model);

// A grid and an affine as JSON (LPS, mm), and back.
Json affine_json(const cw_affine &affine);
cw_affine affine_of(const Json &json);
Json grid_json(const cw_grid &grid);
cw_grid grid_of(const Json &json);

}  // namespace program
