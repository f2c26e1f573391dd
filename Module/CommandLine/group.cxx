// counterwarp group: what the simulations of held-out scans have in common.
#include <cmath>

#include "effects.h"
#include "evaluation.h"
#include "proof.h"
#include "second.h"
#include "tally.h"
#include "verdict.h"
#include "wording.h"

namespace program {

namespace {

const char *const directions[] = {"inject", "remove"};

void need_one_model(const std::vector<SimulatedScan> &simulations, const std::string &folder) {
  for (const SimulatedScan &s : simulations)
    for (const char *key : {"model_fingerprint", "strength", "model_grid"})
      if (s.record.value(key, Json()) != simulations[0].record.value(key, Json()))
        throw Failure(folder + ": holds simulations of several models or strengths (" + simulations[0].scan.id +
                      " and " + s.scan.id + " differ); give each a folder of its own.");
}

// -log J, the log of tissue volume's change, of each participant (the mean of its scans) on the model's grid.
std::vector<Volume> participant_maps(Context &context, const std::vector<SimulatedScan> &simulations,
                                     const std::string &direction, const cw_grid &grid) {
  const size_t samples = cw_grid_samples(&grid);
  std::vector<Volume> maps;
  std::map<std::string, std::pair<size_t, int>> participants;  // which map, of how many scans
  const int n = static_cast<int>(simulations.size());
  for (int i = 0; i < n; i++) {
    const SimulatedScan &s = simulations[i];
    context.part("Maps (" + direction + ")", i, n);
    Volume map(context), on_model(context);
    context.check(cw_nifti_read(context, s.file("logjacobian").c_str(), map.get()));
    for (size_t v = 0; v < cw_grid_samples(&map->grid); v++)
      map->data[v] = -map->data[v];
    std::optional<cw_affine> to_scan;
    if (s.record.at("transform_lps").is_array())
      to_scan = affine_of(s.record.at("transform_lps"));
    context.check(cw_volume_create(context, &grid, 1, on_model.get()));
    context.check(cw_volume_resample_mean(context, map.get(), pointer(to_scan), on_model.get()));
    const auto [at, first] = participants.try_emplace(s.scan.participant, maps.size(), 0);
    at->second.second++;
    if (first)
      maps.push_back(std::move(on_model));
    else
      for (size_t v = 0; v < samples; v++)
        maps[at->second.first]->data[v] += on_model->data[v];
  }
  context.whole();
  for (const auto &[name, own] : participants)
    for (size_t v = 0; own.second > 1 && v < samples; v++)
      maps[own.first]->data[v] /= static_cast<float>(own.second);
  return maps;
}

// Mean and t over participants.
void write_maps(Context &context, const std::vector<SimulatedScan> &simulations, const std::string &direction,
                const Path &out, const std::vector<std::string> &others, Json &json) {
  const cw_grid grid = grid_of(simulations[0].record.at("model_grid"));
  context.check(cw_grid_check(context, &grid));
  const std::vector<Volume> participants = participant_maps(context, simulations, direction, grid);
  std::vector<const float *> maps;
  for (const Volume &map : participants)
    maps.push_back(map->data);
  Volume mean(context), t(context);
  context.check(cw_volume_create(context, &grid, 1, mean.get()));
  context.check(cw_volume_create(context, &grid, 1, t.get()));
  context.check(
      cw_group_maps(context, maps.data(), static_cast<int>(maps.size()), cw_grid_samples(&grid), mean->data, t->data));
  const std::string base = "group_desc-" + direction + "_";
  const auto put = [&](const std::string &name, const cw_volume &volume, const char *quantity) {
    context.check(cw_nifti_write(context, (out / name).c_str(), &volume, CW_NIFTI_FLOAT32));
    json["files"][name] = quantity;
  };
  if (!others.empty())
    json["stability"][direction] = stability(context, maps, grid, base + "mean.nii.gz", others);
  put(base + "mean.nii.gz", *mean, "mean of -log J: log of the change of tissue volume, below 0 where it shrank");
  put(base + "t.nii.gz", *t, "one-sample t of -log J over subjects, below 0 where tissue shrank");
}

void write_regions(Context &context, const GroupRequest &request,
                   const std::vector<SimulatedScan> *const simulations[2], const Path &out, Json &json) {
  const LabelTable names(context, request.labels);
  Volume atlas(context);
  context.check(cw_nifti_read(context, request.atlas.c_str(), atlas.get()));
  Rows table;
  table.columns = {
      "region",          "direction",           "label", "n", "mean_change_percent", "sd_percent", "low_95_percent",
      "high_95_percent", "inside_field_of_view"};
  Json all;
  for (int d = 0; d < 2; d++) {
    Json list = Json::array();
    for (const RegionFigure &f :
         region_figures(context, *atlas, names, request.least, request.coverage, *simulations[d])) {
      table.rows.push_back({f.name, directions[d], std::to_string(f.label), std::to_string(f.change.count),
                            number(f.change.mean, 4), number(f.change.sd, 4), number(f.change.low, 4),
                            number(f.change.high, 4), number(f.inside, 3)});
      list.push_back(f.name);
    }
    if (list.empty() && !simulations[d]->empty())
      context.warn(request.atlas + ": no region of the atlas has " + std::to_string(request.least) +
                   " voxels and enough of its volume inside the scans (" + directions[d] + ").");
    all[directions[d]] = list.empty() ? Json() : list[0];
  }
  json["first_region"] = all;
  json["files"]["regions.tsv"] =
      "change of tissue volume in % of each region, N / (sum of J) - 1 over the voxels of its warped label: mean, "
      "standard deviation and 95 % interval of the mean over scans; sorted, the wanted sign first";
  write_tsv(out / "regions.tsv", table);
}

// What each effect of a cohort with several does to the logit, and where log J lies.
void write_effects(Context &context, const cw_model &model, const std::string &table,
                   const std::vector<SimulatedScan> *const pairs[2], const Path &out, Json &json) {
  if (table.empty())
    return;
  Rows rows;
  for (int d = 0; d < 2; d++) {
    const Json shares = effect_shares(context, model, table, *pairs[d], rows);
    if (!shares.is_null())
      json["effects"][directions[d]] = shares;
  }
  if (rows.rows.empty())
    return;
  write_tsv(out / "effects.tsv", rows);
  json["files"]["effects.tsv"] =
      "each effect alone: its shift of the logit and share of it, and the share of |log J| in its mask; mask_share is "
      "that of a map that knows nothing";
}

void append(Rows &all, const Rows &more) {
  all.columns = more.columns;
  all.rows.insert(all.rows.end(), more.rows.begin(), more.rows.end());
}

}  // namespace

void run_group(Context &context, const GroupRequest &request) {
  if (request.atlas.empty() != request.labels.empty())
    throw Failure("--atlas and --labels go together: the label image and the table of its names.", exit_usage);
  if (!request.atlas.empty())
    need_file(request.atlas, "the atlas");
  if (!request.second.empty() && request.second != "train" && request.second != "none")
    need_file(request.second, "the second classifier");
  const std::vector<SimulatedScan> all = simulations_of(context, request.simulations, request.cohort);
  const std::vector<SimulatedScan> inject = held_out_pairs(all, "inject"), remove = held_out_pairs(all, "remove");
  const std::vector<SimulatedScan> *const pairs[2] = {&inject, &remove};
  if (inject.empty() && remove.empty())
    throw Failure(request.simulations +
                  ": holds neither injections into held-out controls nor removals from held-out patients.");
  std::vector<SimulatedScan> used = inject;
  used.insert(used.end(), remove.begin(), remove.end());
  need_one_model(used, request.simulations);
  const Path out = request.out;
  make_folder(out);
  remove_file(out / "group.json");  // written last: where it stands, the rest is its own
  Model model(context);
  const bool found = find_model(context, request.model, used[0], model);
  const std::string second_file = second_classifier(context, request, found ? model.get() : nullptr, used);
  context.on_interruption("The group's results are not complete; run the command again.");

  Json json;
  json["about"] = "What the simulations of held-out scans have in common. For research use only.";
  json["simulations"] = relative_to(out, request.simulations);
  json["model"] = used[0].record.value("model", Json());
  json["strength"] = used[0].record.value("strength", Json());
  json["sign"] = sign_text;
  json["files"] = Json::object();
  Rows scores, moved;
  for (int d = 0; d < 2; d++) {
    if (pairs[d]->empty()) {
      context.warn(std::string("no held-out ") + (d ? "patient with a removal." : "control with an injection."));
      continue;
    }
    json["directions"][directions[d]] = tally(*pairs[d]);
    write_maps(context, *pairs[d], directions[d], out, request.others, json);
    Rows rows;
    const Json score = score_truth(context, *pairs[d], rows);
    if (!score.is_null()) {
      json["scores"][directions[d]] = score;
      append(scores, rows);
    }
    if (!second_file.empty()) {
      Rows second;
      json["transfer"][directions[d]] = transfer(context, second_file, *pairs[d], second);
      append(moved, second);
    }
  }
  write_tsv(out / "scans.tsv", scan_rows(used));
  json["files"]["scans.tsv"] = "each scan: logits, moved, flipped, monotone, folds, errors";
  if (!scores.rows.empty()) {
    write_tsv(out / "scores.tsv", scores);
    json["files"]["scores.tsv"] =
        "log J against the known truth in the scored region; injection against +truth, removal against -truth";
  }
  if (!moved.rows.empty()) {
    write_tsv(out / "transfer.tsv", moved);
    json["files"]["transfer.tsv"] = "the simulated images as a second classifier sees them";
    json["second"] = relative_to(out, second_file);
  }
  if (!request.atlas.empty()) {
    write_regions(context, request, pairs, out, json);
    json["atlas"] = Path(request.atlas).filename().string();
  }
  const Json accuracy = held_out_accuracy(inject, remove);
  Json exchange;
  if (found) {
    Rows rows;
    exchange = exchange_shapes(context, *model, inject, remove, request.exchange, rows);
    if (!exchange.is_null()) {
      write_tsv(out / "exchange.tsv", rows);
      json["files"]["exchange.tsv"] = "each scan's logit in the shape of a scan of its own group and of the other";
    }
    write_effects(context, *model, request.cohort, pairs, out, json);
  }
  json["accuracy"] = accuracy;
  json["exchange"] = exchange;
  json["verdict"] = verdict_of(accuracy, json["directions"], exchange);
  const Json agreement = json.value("stability", Json::object());
  Rows proof = proof_rows(json["directions"], json.value("transfer", Json::object()), agreement);
  add_verdict_rows(accuracy, exchange, proof);
  write_tsv(out / "proof.tsv", proof);
  json["files"]["proof.tsv"] = "what speaks for the simulator or against it where no truth is known";
  if (!agreement.empty()) {
    write_tsv(out / "stability.tsv", stability_rows(agreement));
    json["files"]["stability.tsv"] =
        "correlation of the mean maps with those of groups made with other seeds, with its interval over subjects";
  }
  json["versions"] = {{"counterwarp", cw_version()}};
  write_json(out / "group.json", json);
  for (int d = 0; d < 2; d++)
    if (!pairs[d]->empty()) {
      const Json &t = json["directions"][directions[d]];
      context.say(std::string(d ? "Removal from " : "Injection into ") + std::to_string(pairs[d]->size()) +
                  " held-out scans: " + number(100 * t["moved"].get<double>(), 3) + " % moved the right way, " +
                  number(100 * t["monotone"].get<double>(), 3) + " % monotone, " +
                  std::to_string(t["folded_voxels"].get<size_t>()) + " folded voxels.");
    }
  context.say("Wrote " + out.string());
  context.say(json["verdict"]["sentence"].get<std::string>());
}

void add_group(Program &program) {
  auto request = std::make_shared<GroupRequest>();
  CLI::App *command = program.add(
      "group", "Maps and a table of regions over held-out scans",
      "counterwarp group --simulations simulations --cohort cohort/participants.tsv --atlas aal.nii.gz --labels "
      "aal.nii.txt --out group");
  command->add_option("--simulations", request->simulations, "Folder that `simulate` wrote")->required();
  command->add_option("--cohort", request->cohort, "The table of the scans")->required();
  command->add_option("--out", request->out, "Folder for the results")->required();
  command->add_option("--atlas", request->atlas, "Label image in the cohort's world space");
  command->add_option("--labels", request->labels,
                      "Names of its labels: lines that start with label and name (AAL, FreeSurfer, TSV)");
  command->add_option("--least", request->least, "Voxels that a region needs in a scan")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--coverage", request->coverage, "Share of a region that must lie inside the scans")
      ->check(within(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--second", request->second,
                      "A second classifier, trained apart: does what moves the first move this one?  A file; `train`: "
                      "train one here on the cohort's other scans, as the first was, with another seed; or `none`. "
                      "Default: train, where the first is one of train-classifier's");
  command->add_option("--model", request->model,
                      "The simulator, or its classifier, if the simulator is no longer where `simulate` found it: for "
                      "the verdict, and for effects alone");
  command
      ->add_option(
          "--exchange", request->exchange,
          "Scans of each group that are looked at in each other's shape: how much of what the classifier reads "
          "a warp can change; 0: none")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  command->add_option(
      "--other", request->others,
      "Folder of a group made with another seed of the simulator, once or more: are the maps the same?");
  command->callback([&program, request] {
    program.work = [&program, request] {
      Context context(program.settings);
      run_group(context, *request);
    };
  });
}

}  // namespace program
