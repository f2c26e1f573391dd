/* Running a plan: its steps forward, and backward in reverse order, told to a crew as they pass. */
#include <string.h>

#include "Graph/plan_internal.h"
#include "Graph/rule.h"

/* Of the node that runs at `turn` of a pass. */
static cw_report report_of(const cw_crew *crew, const cw_plan *plan, int turn) {
  const double steps = plan->step_count;
  const cw_report report = {cw_crew_part(crew, turn / steps, (turn + 1) / steps), CW_OK};
  return report;
}

static cw_status run_step(const cw_crew *crew, const cw_plan *plan, int turn, cw_call *call,
                          void (*run)(const cw_call *)) {
  cw_report report = report_of(crew, plan, turn);
  call->step = plan->step_number;
  call->report = &report;
  run(call);
  call->report = NULL;
  cw_report_tell(&report, 1);
  return report.status;
}

cw_status cw_plan_forward_run(const cw_crew *crew, cw_plan *plan) {
  for (int s = 0; s < plan->step_count; s++)
    CW_TRY(run_step(crew, plan, s, &plan->steps[s].forward, plan->steps[s].info->forward));
  return CW_OK;
}

static cw_crew crew_of_nobody(const cw_plan *plan) {
  const cw_crew crew = {plan->threads, NULL, "", 0, 1};
  return crew;
}

void cw_plan_forward(cw_plan *plan) {
  const cw_crew crew = crew_of_nobody(plan);
  (void)cw_plan_forward_run(&crew, plan);
}

/* Computes again what the backward step at `time` is the first one to read. */
static void repeat_outputs(cw_plan *plan, int time) {
  for (int s = 0; s < plan->step_count; s++) {
    const cw_step *step = &plan->steps[s];
    if (step->again == CW_NONE || plan->buffers[step->again].first != time)
      continue;
    cw_call call = step->forward;
    call.out = cw_buffer_at(plan, step->again);
    step->info->forward(&call);
  }
}

cw_status cw_plan_backward_run(const cw_crew *crew, cw_plan *plan) {
  for (int s = plan->step_count - 1; s >= 0; s--) {
    repeat_outputs(plan, 2 * plan->step_count - 1 - s);
    if (!plan->steps[s].forward_only)
      CW_TRY(run_step(crew, plan, plan->step_count - 1 - s, &plan->steps[s].backward, plan->steps[s].info->backward));
  }
  return CW_OK;
}

void cw_plan_backward(cw_plan *plan) {
  const cw_crew crew = crew_of_nobody(plan);
  (void)cw_plan_backward_run(&crew, plan);
}

cw_status cw_plan_backward_by(const cw_crew *crew, cw_plan *plan, cw_node_rule rule, void *user) {
  for (int s = plan->step_count - 1; s >= 0; s--) {
    const cw_step *step = &plan->steps[s];
    if (step->forward_only)
      continue;
    cw_call call = step->backward;
    memcpy(call.in, step->forward.in, sizeof call.in);
    call.out = step->forward.out;
    cw_report report = report_of(crew, plan, plan->step_count - 1 - s);
    call.report = &report;
    if (!rule(user, step->node, step->info, &call))
      break;
    cw_report_tell(&report, 1);
    CW_TRY(report.status);
  }
  return cw_crew_tell(crew, 1);
}
