"""``make_plan``: from a budget spec to a complete plan. Pure: the same spec gives the same plan, byte for byte."""

from importlib.metadata import version

from sixnd.planner.annealing import with_annealing
from sixnd.planner.checks import check_hours
from sixnd.planner.continual import base_decisions, continual_warnings, from_base, planned_continual, unpredicted
from sixnd.planner.cost import (
    co2_estimate,
    energy_estimate,
    inverse,
    memory_estimate,
    money_estimate,
    scaled,
    step_time_estimate,
)
from sixnd.planner.decisions import decisions
from sixnd.planner.draft import Draft, Drafter
from sixnd.planner.evaluation import evaluation_warnings
from sixnd.planner.goodput import run_estimates
from sixnd.planner.hyperparameters import training
from sixnd.planner.intervals import planned_checkpoints, planned_evaluation
from sixnd.planner.law_choices import law_choices
from sixnd.planner.layout_cost import with_run_cost
from sixnd.planner.layout_search import usable_memory
from sixnd.planner.loss import loss_estimate, worth_estimate
from sixnd.planner.machine import Machine
from sixnd.planner.memory import peak_memory
from sixnd.planner.mix import check_epochs, planned_data
from sixnd.planner.pipeline_schedule import planned_pipeline
from sixnd.planner.precision import in_best_precision
from sixnd.planner.runtime import runtime
from sixnd.planner.sensitivity import sensitivities
from sixnd.planner.utilisation import utilisations
from sixnd.planner.warnings import warnings
from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.plan import Estimates, Plan, PlannedBudget, PlannedModel


def make_plan(spec: BudgetSpec) -> Plan:
    """Choose everything a budget leaves open, and estimate what the run will be like.

    Raises ``InfeasibleError`` where no plan satisfies the spec (the message says what would), ``ContradictionError``
    where two values of the spec disagree in a way that only planning shows.
    """
    written, spec = spec, from_base(spec)
    drafter, draft, others = in_best_precision(spec)
    machine = drafter.machine
    estimates = _estimates(spec, machine, drafter, draft)
    check_hours(spec, estimates.accelerator_hours)
    model, data = _model(draft), with_annealing(spec, planned_data(spec, draft.tokens), draft.steps, draft.batches)
    check_epochs(spec, data)
    steps = draft.steps
    point = drafter.point(draft.candidate, draft.tokens)
    trained = training(spec, machine.precision, draft.candidate.model, point, steps, draft.batches)
    clock, usable = drafter.clock(draft), usable_memory(machine)
    checkpoints = planned_checkpoints(clock)
    where = runtime(machine, draft.candidate.model.adapters)
    evaluation = planned_evaluation(spec, steps, draft.batches, draft.candidate.model.sequence)
    return Plan(
        version="plan/1",
        name=spec.name,
        spec=written,
        spec_sha256=written.digest(),
        catalog_sha256=catalog.sha256(),
        sixnd_version=version("sixnd"),
        law=drafter.law_name,
        budget=_budget(spec, draft, estimates),
        cluster=machine.planned,
        model=model,
        data=data,
        training=trained,
        layout=draft.found.layout,
        checkpoints=checkpoints,
        evaluation=evaluation,
        estimates=unpredicted(written, estimates),
        decisions=base_decisions(written, decisions(drafter, draft, data, trained, checkpoints, evaluation, others)),
        law_choices=law_choices(draft.compute_flops, spec.planning_law),
        options=with_run_cost(draft.found.options, clock, usable),
        pareto=with_run_cost(draft.found.pareto, clock, usable),
        sensitivities=sensitivities(clock, estimates.step_time_s, estimates.mfu, estimates.goodput),
        pipeline=planned_pipeline(draft.candidate.model, draft.found.layout, draft.batch.sequences, where),
        warnings=[
            *continual_warnings(written),
            *warnings(drafter, draft, data, estimates),
            *evaluation_warnings(evaluation, clock.evaluated_share),
        ],
        continual=planned_continual(written, draft.candidate.model.architecture),
    )


def _model(draft: Draft) -> PlannedModel:
    m = draft.candidate.model
    return PlannedModel(
        shape=draft.candidate.shape,
        architecture=draft.candidate.published,
        head_dim=m.head_dim,
        sequence_length=m.sequence,
        vocab_size=draft.candidate.vocab_size,
        padded_vocab_size=m.vocab,
        tied_embeddings=m.tied,
        params=m.params,
        active_params=m.active_params,
        params_non_embedding=m.params_non_embedding,
        flops_per_token=m.training_flops,
    )


def _budget(spec: BudgetSpec, draft: Draft, estimates: Estimates) -> PlannedBudget:
    given = spec.budget
    named = {name: value for name, value in given.plain().items() if value is not None and name != "counting"}
    return PlannedBudget(
        given=", ".join(f"{name} = {value}" for name, value in named.items()),
        compute_flops=draft.compute_flops if given.compute is None else given.compute,
        accelerator_hours=given.accelerator_hours or estimates.accelerator_hours.value,
        money_usd=given.money or estimates.money_usd.value,
        time_s=given.time or estimates.wall_time_s.value,
    )


def _train_basis(draft: Draft) -> str:
    if not draft.stages:
        return "steps × step time"
    return "steps × step time, the smaller batches' steps by the same model; interval: the full batch's"


def _estimates(spec: BudgetSpec, machine: Machine, drafter: Drafter, draft: Draft) -> Estimates:
    m = draft.candidate.model
    batch_tokens = draft.batch.sequences * m.sequence
    step = step_time_estimate(m, draft.found.layout, draft.batch.sequences, machine, draft.step_time_s)
    train = scaled(step, draft.steps - draft.saved_s / draft.step_time_s, "s", _train_basis(draft))
    run = run_estimates(drafter.clock(draft), train)
    held = "wall-clock × accelerators" + (", spare machines' included" if spec.cluster.spares else "")
    hours = scaled(run.wall, spec.accelerators_held / 3600, "accelerator-hours", held)
    energy = energy_estimate(spec, machine, run.wall)
    memory = peak_memory(m, draft.found.layout, machine, draft.batch.sequences, draft.tokens)
    held_bytes = sum(value for value in memory.plain().values() if not isinstance(value, str))
    flops_per_peak = drafter.mfu(draft) * draft.step_time_s
    mfu = inverse(step, flops_per_peak, "share of peak", "exact model FLOPs, causal attention as half, over dense peak")
    return Estimates(
        loss=loss_estimate(drafter, m.active_params, draft.tokens),
        tokens_worth=worth_estimate(drafter, draft.tokens),
        step_time_s=step,
        tokens_per_s=inverse(step, batch_tokens, "tokens/s", "global batch / step time"),
        mfu=mfu,
        **utilisations(mfu, m, draft.found.layout),
        memory_bytes=memory_estimate(machine, held_bytes),
        train_time_s=train,
        wall_time_s=run.wall,
        accelerator_hours=hours,
        money_usd=money_estimate(spec, machine, hours),
        energy_kwh=energy,
        co2_kg=co2_estimate(spec, energy),
        goodput=run.goodput,
        failures=run.failures,
        memory=memory,
        time=draft.time,
    )
