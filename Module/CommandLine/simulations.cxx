#include "simulations.h"

#include <algorithm>

namespace program {

SimulationNames::SimulationNames(const std::string &id, const std::string &direction) {
  const std::string base = id + "_desc-" + direction;
  image = base + "_image.nii.gz";
  field = base + "_field.nii.gz";
  jacobian = base + "_jacobian.nii.gz";
  log_jacobian = base + "_logjacobian.nii.gz";
  side_car = base + ".json";
}

bool SimulatedScan::is_held_out() const {
  return record.at("held_out").is_boolean() && record.at("held_out").get<bool>();
}

double SimulatedScan::before() const {
  return record.at("logit").at("before").get<double>();
}

double SimulatedScan::after() const {
  return record.at("logit").at("after").get<double>();
}

double SimulatedScan::shift() const {
  return sign() * (after() - before());
}

std::optional<bool> SimulatedScan::flipped() const {
  return on_wanted_side(sign(), before()) ? std::nullopt : std::optional(on_wanted_side(sign(), after()));
}

std::optional<double> SimulatedScan::margin() const {
  const Json margin = record.value("margin", Json());
  return margin.is_number() ? std::optional(margin.get<double>()) : std::nullopt;
}

std::optional<bool> SimulatedScan::margin_reached() const {
  const Json reached = record.value("margin_reached", Json());
  return reached.is_boolean() ? std::optional(reached.get<bool>()) : std::nullopt;
}

Path SimulatedScan::file(const char *which) const {
  return folder / record.at("files").at(which).get<std::string>();
}

std::vector<SimulatedScan> simulations_of(Context &context, const Path &folder, const std::string &table_file) {
  if (!std::filesystem::is_directory(folder))
    throw Failure(folder.string() + ": is not a folder with simulations.");
  std::map<std::string, Scan> known;
  if (!table_file.empty())
    for (const Scan &scan : scans_of_table(context, table_file))
      known.emplace(scan.id, scan);
  std::vector<Path> files;
  for (const auto &entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.find("_desc-") != std::string::npos && entry.path().extension() == ".json")
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<SimulatedScan> simulations;
  int strangers = 0;
  for (const Path &file : files) {
    SimulatedScan simulation;
    simulation.folder = folder;
    simulation.record = read_json(file);
    try {
      const Json &record = simulation.record;
      simulation.direction = record.at("direction").get<std::string>();
      simulation.scan.id = record.at("id").get<std::string>();
      simulation.scan.participant = record.at("participant").get<std::string>();
      simulation.scan.session = record.at("session").is_string() ? record.at("session").get<std::string>() : "";
      simulation.scan.group = record.at("group").is_string() ? record.at("group").get<std::string>() : "";
      simulation.scan.image = (folder / record.at("source").get<std::string>()).string();
      if (simulation.direction != "inject" && simulation.direction != "remove")
        throw Failure("direction");
      (void)simulation.shift();
      (void)simulation.is_held_out();
      (void)grid_of(record.at("model_grid"));
      for (const char *which : {"image", "field", "jacobian", "logjacobian"})
        need_file(simulation.file(which), "the simulation's " + std::string(which));
    } catch (const nlohmann::json::exception &) {
      throw Failure(file.string() + ": is not a side-car written by `counterwarp simulate`.");
    }
    if (!table_file.empty()) {
      const auto at = known.find(simulation.scan.id);
      if (at == known.end()) {
        strangers++;
        continue;
      }
      simulation.scan = at->second;
    }
    simulations.push_back(std::move(simulation));
  }
  if (strangers)
    context.warn(folder.string() + ": " + std::to_string(strangers) + " simulations of scans that are not in " +
                 table_file + " are left out.");
  if (simulations.empty())
    throw Failure(folder.string() + ": holds no simulation" +
                  (table_file.empty() ? "." : " of a scan in " + table_file + "."));
  return simulations;
}

std::vector<SimulatedScan> held_out_pairs(const std::vector<SimulatedScan> &all, const std::string &direction) {
  std::vector<SimulatedScan> chosen;
  const std::string group = direction == "inject" ? "control" : "patient";
  for (const SimulatedScan &simulation : all)
    if (simulation.direction == direction && simulation.is_held_out() && simulation.scan.group == group)
      chosen.push_back(simulation);
  return chosen;
}

}  // namespace program
