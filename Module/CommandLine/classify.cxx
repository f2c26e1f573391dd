// counterwarp classify: the logit of a scan, or of every scan of a table.
#include <cmath>

#include "scans.h"

namespace program {

void run_classify(Context &context, const ClassifyRequest &request) {
  Model model(context);
  need_file(request.model, "the model");
  context.check(cw_model_read(context, request.model.c_str(), model.get()));
  const bool from_table = !request.cohort.empty();
  const std::vector<Scan> scans = chosen_scans(context, *model, request);
  make_folder_of(request.out);
  Rows table;
  table.columns = {"id", "participant_id", "session_id", "group", "held_out", "logit", "probability", "class"};
  std::vector<float> logits[2];
  std::vector<int> labels[2];
  for (size_t i = 0; i < scans.size(); i++) {
    const Scan &scan = scans[i];
    const auto apart = held_out(*model, scan, from_table);
    context.part("Scans", static_cast<int>(i), static_cast<int>(scans.size()));
    const std::vector<float> input = network_input(context, *model, scan, true);
    float logit;
    context.check(cw_model_logits(context, model.get(), input.data(), 1, &logit), scan.image);
    table.rows.push_back({scan.id, scan.participant, scan.session.empty() ? "n/a" : scan.session,
                          scan.group.empty() ? "n/a" : scan.group, apart ? (*apart ? "true" : "false") : "n/a",
                          number(logit), number(1 / (1 + std::exp(-double(logit)))),
                          logit > 0 ? "patient" : "control"});
    if (!scan.group.empty() && apart) {
      logits[*apart].push_back(logit);
      labels[*apart].push_back(scan.group == "patient");
    }
  }
  context.whole();
  if (request.out.empty()) {
    std::string text;
    const auto line = [&](const std::vector<std::string> &cells) {
      for (size_t i = 0; i < cells.size(); i++)
        text += (i ? "\t" : "") + cells[i];
      text += '\n';
    };
    line(table.columns);
    for (const auto &row : table.rows)
      line(row);
    print(text);
  } else {
    write_tsv(request.out, table);
  }
  for (const int apart : {0, 1})
    if (!labels[apart].empty() && from_table)
      context.say(std::string("Balanced accuracy on ") + (apart ? "held-out" : "training") + " scans: " +
                  number(cw_balanced_accuracy(logits[apart].data(), labels[apart].data(),
                                              static_cast<int>(labels[apart].size())),
                         3));
}

void add_classify(Program &program) {
  auto request = std::make_shared<ClassifyRequest>();
  CLI::App *command = program.add("classify", "Classify a scan, or every scan of a table",
                                  "counterwarp classify --model classifier.onnx --cohort cohort/participants.tsv");
  command->add_option("--model", request->model, "A classifier, or a simulator (for the classifier inside)")
      ->required();
  add_scan_options(command, *request);
  command->add_option("--out", request->out, "Write the table to a file instead of standard output");
  command->callback([&program, request] {
    need_scans(*request);
    program.work = [&program, request] {
      Context context(program.settings);
      run_classify(context, *request);
    };
  });
}

}  // namespace program
