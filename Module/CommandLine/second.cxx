#include "second.h"

#include <algorithm>
#include <set>

#include "owned.h"

namespace program {

namespace {

Json entry(const Json &from, const char *key) {
  return from.is_object() ? from.value(key, Json()) : Json();
}

// What train-classifier wrote of each of the model's classifiers, as far as they are its own.
std::vector<Json> records_of(const cw_model *model) {
  std::vector<Json> records;
  if (!model || !model->provenance || !Json::accept(model->provenance))
    return records;
  const Json own = Json::parse(model->provenance);
  const auto add = [&](const Json &record) {
    if (entry(record, "command") == "train-classifier")
      records.push_back(record);
  };
  add(own);
  const Json classifiers = entry(own, "classifiers");
  if (classifiers.is_array())
    for (const Json &record : classifiers)
      add(record);
  return records;
}

template <typename T>
void take(const Json &from, const char *key, T &to) {
  const Json value = entry(from, key);
  if (value.is_boolean() == std::is_same_v<T, bool> && (value.is_boolean() || value.is_number()))
    to = value.get<T>();
}

template <typename T>
void take(const Json &from, const char *key, std::optional<T> &to) {
  T value{};
  take(from, key, value);
  if (entry(from, key).is_number())
    to = value;
}

ClassifierRequest recipe_of(const std::vector<Json> &records, const cw_model *model) {
  ClassifierRequest recipe;
  for (const Json &record : records) {
    uint64_t seed = 0;
    take(record, "seed", seed);
    recipe.seed = std::max(recipe.seed, seed);
  }
  recipe.seed++;
  const Json record = records.empty() ? Json() : records[0], options = entry(record, "options");
  take(record, "size", recipe.size);
  take(options, "steps", recipe.steps);
  take(options, "batch", recipe.batch);
  take(options, "learning_rate", recipe.learning_rate);
  take(options, "weight_decay", recipe.weight_decay);
  take(options, "evaluate_every", recipe.evaluate_every);
  take(options, "patience", recipe.patience);
  take(options, "wait", recipe.wait);
  take(options, "flip", recipe.flip);
  take(options, "erase", recipe.erase);
  if (!records.empty()) {
    const cw_normalization_kind kind = model->preprocessing.normalization;
    recipe.normalization = kind == CW_NORMALIZE_NONE ? "none" : kind == CW_NORMALIZE_ZSCORE ? "zscore" : "percentile";
    if (kind == CW_NORMALIZE_PERCENTILE)
      recipe.percentile = model->preprocessing.high;
  }
  return recipe;
}

std::vector<std::string> held_out_of(const cw_model *model, const std::vector<SimulatedScan> &used) {
  std::set<std::string> names;
  for (const SimulatedScan &s : used)
    names.insert(s.scan.participant);
  for (int i = 0; model && i < model->held_out.count; i++)
    names.insert(model->held_out.item[i]);
  return {names.begin(), names.end()};
}

// Participants of the smaller group that are left to train on.
size_t left_to_train(Context &context, const std::string &cohort, const std::vector<std::string> &held_out) {
  Table table(context);
  context.check(cw_table_read(context, cohort.c_str(), table.get()));
  std::set<std::string> left[2];
  for (int i = 0; i < table->count; i++)
    if (!std::binary_search(held_out.begin(), held_out.end(), table->scans[i].participant))
      left[table->scans[i].group == CW_PATIENT].insert(table->scans[i].participant);
  return std::min(left[0].size(), left[1].size());
}

Json recipe_json(const ClassifierRequest &recipe) {
  const auto number = [](const auto &value) { return value ? Json(*value) : Json(); };
  return {{"about", "how the second classifier is trained; another recipe starts anew"},
          {"cohort", std::filesystem::absolute(recipe.cohort).string()},
          {"cohort_fingerprint", fingerprint(recipe.cohort)},
          {"size", recipe.size},
          {"seed", recipe.seed},
          {"steps", number(recipe.steps)},
          {"batch", number(recipe.batch)},
          {"learning_rate", number(recipe.learning_rate)},
          {"weight_decay", number(recipe.weight_decay)},
          {"evaluate_every", number(recipe.evaluate_every)},
          {"patience", number(recipe.patience)},
          {"wait", number(recipe.wait)},
          {"flip", recipe.flip},
          {"erase", recipe.erase},
          {"normalization", recipe.normalization},
          {"percentile", recipe.percentile},
          {"held_out", recipe.held_out}};
}

// Trains, goes on, or finds what an earlier run of the same recipe left.
void make(Context &context, const Path &folder, ClassifierRequest &recipe) {
  const Path stamp = folder / "recipe.json";
  const std::string wanted = json_text(recipe_json(recipe)) + "\n";
  const bool same = std::filesystem::exists(stamp) && read_text(stamp) == wanted;
  if (same && std::filesystem::exists(recipe.out)) {
    context.say("The second classifier stands from an earlier run: " + recipe.out);
    return;
  }
  if (!same) {
    for (const char *end : {"", ".checkpoint", ".curve.tsv"})
      remove_file(recipe.out + end);
    make_folder(folder);
    write_text(stamp, wanted);
  }
  context.say(
      "A second classifier, trained as the first with another seed (--second FILE gives one, --second none "
      "goes without):");
  recipe.resume = true;
  run_train_classifier(context, recipe);
}

}  // namespace

std::string second_classifier(Context &context, const GroupRequest &request, const cw_model *model,
                              const std::vector<SimulatedScan> &used) {
  if (request.second == "none")
    return "";
  const bool asked = request.second == "train";
  if (!asked && !request.second.empty())
    return request.second;
  const std::vector<Json> records = records_of(model);
  if (!asked && records.empty()) {
    context.say(
        "Whether a second classifier is moved too was not measured: --second FILE gives one, --second train "
        "trains one here.");
    return "";
  }
  const Json start = records.empty() ? Json() : entry(records[0], "start");
  if (!asked && start.is_string()) {
    context.say("Whether a second classifier is moved too was not measured: the first began from another's weights (" +
                start.get<std::string>() + "), which are not at hand; --second FILE gives one, --second train trains " +
                "one from random weights.");
    return "";
  }
  ClassifierRequest recipe = recipe_of(records, model);
  recipe.cohort = request.cohort;
  recipe.held_out = held_out_of(model, used);
  if (!asked && left_to_train(context, request.cohort, recipe.held_out) < 2) {
    context.say(
        "Whether a second classifier is moved too was not measured: too few subjects of the cohort are left to "
        "train one on; --second FILE gives one.");
    return "";
  }
  const Path folder = Path(request.out) / "second";
  recipe.out = (folder / "classifier.onnx").string();
  make(context, folder, recipe);
  return recipe.out;
}

}  // namespace program
