"""Ladders: what they cost, what they tell, and that every rung is a spec that can be planned and compared."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.hyperparameter_laws import Point
from sixnd.planner.hyperparameters import global_batch
from sixnd.planner.ladder import MadeLadder, Request, make_ladder
from sixnd.planner.ladder_field import LARGEST_SHARE, SMALLEST_INNER_SHARE
from sixnd.planner.ladder_law import huber_variance_ratio, known
from sixnd.planner.plan import make_plan
from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import ContradictionError, InfeasibleError, SixndError
from sixnd.specs.ladder import Expected
from sixnd.specs.laws import NamedLaw
from sixnd.specs.load import parse
from sixnd.specs.plan import Plan
from sixnd.specs.yaml_reader import dump_yaml
from tests.planner.building import spec

PATH_SOURCES = [{"name": "web", "path": "texts/*.txt", "weight": 3}, {"name": "docs", "recipe": "installed-docs"}]


def target(**parts) -> BudgetSpec:
    model = {"vocab_size": 32768, "sequence_length": 2048}
    return spec({"compute": 1e21}, "64 x h100-sxm", **({"model": model} | parts))


def ladder(share: float = 0.05, of: BudgetSpec | None = None, **asked) -> MadeLadder:
    request = Request(**({"share": share, "runs": 8, "noise_sd": 0.003} | asked))
    return make_ladder(of or target(), request, "../target.yaml", lambda path: f"../{path}")


@pytest.fixture(scope="module")
def made() -> MadeLadder:
    return ladder(of=target(data={"sources": PATH_SOURCES}))


@pytest.fixture(scope="module")
def plans(made) -> list[Plan]:
    return [make_plan(rung) for rung in written(made)]


def written(made: MadeLadder) -> list[BudgetSpec]:
    """The rungs' specs as a reader of their files gets them."""
    texts = [dump_yaml(rung.model_dump(mode="json", exclude_defaults=True)) for rung in made.specs]
    return [parse(text, "rung.yaml", BudgetSpec) for text in texts]


def widths(found: Expected) -> tuple[float, float]:
    return tuple(math.log(high / low) for low, high in (found.params_95, found.loss_95))


def test_a_ladder_spends_no_more_than_its_share(made, plans):
    spent = sum(6 * plan.model.params * plan.data.tokens for plan in plans)
    assert spent <= 0.05 * made.ladder.target.budget_flops
    assert spent == pytest.approx(made.ladder.spent_share * made.ladder.target.budget_flops)
    assert spent >= 0.8 * 0.05 * made.ladder.target.budget_flops
    assert made.ladder.accelerator_hours.value == pytest.approx(
        sum(plan.estimates.accelerator_hours.value for plan in plans)
    )


def test_every_rung_is_planned_from_its_file_as_the_ladder_says(made, plans):
    assert written(made) == made.specs
    for rung, plan in zip(made.ladder.rungs, plans, strict=True):
        assert (rung.name, rung.params, rung.tokens) == (plan.name, plan.model.params, plan.data.tokens)
        assert (rung.steps, rung.seed) == (plan.training.steps, plan.training.seed)
        assert rung.accelerators == plan.cluster.count <= 64
        assert rung.steps >= 100
        assert rung.compute_flops <= LARGEST_SHARE * 0.05 * made.ladder.target.budget_flops
        assert plan.model.params_non_embedding >= SMALLEST_INNER_SHARE * plan.model.params
        assert plan.training.warmup_steps + plan.training.decay_steps == plan.training.steps
        assert 4.9 <= rung.tokens / rung.params <= 201


def test_losses_of_all_rungs_can_be_compared(made, plans):
    whole = make_plan(target())
    for plan in plans:
        assert plan.model.vocab_size == whole.model.vocab_size
        assert plan.model.sequence_length == whole.model.sequence_length
        assert [source.weight for source in plan.data.sources] == [0.75, 0.25]
        assert plan.data.sources[0].path == "../texts/*.txt"
        assert plan.evaluation.every_steps == plan.training.steps
    held_out = {plan.evaluation.batches * plan.training.global_batch for plan in plans}
    assert len(held_out) == 1
    assert {plan.data.validation_fraction for plan in plans} == {0.0}, "nothing beyond that is held out, whatever D"


def test_the_target_is_validated_on_the_rungs_text_by_the_file_that_its_ladder_gives(made, plans):
    by_its_law = dict(made.target)
    assert by_its_law.pop("law") == "law.yaml"
    assert set(by_its_law) == {"version", "extends", "evaluation"}
    held_out = plans[0].evaluation.batches * plans[0].training.global_batch * plans[0].model.sequence_length
    assert by_its_law["evaluation"] == {"tokens": f"{held_out} tokens"}


def test_rungs_are_validated_on_as_much_text_as_the_target_asks_for():
    spec = target()
    asked = spec.model_copy(update={"evaluation": spec.evaluation.model_copy(update={"tokens": 5e8})})
    for rung in make_ladder(asked, Request(0.05, 8), "target.yaml").specs:
        assert 5e8 <= rung.evaluation.tokens < 6e8


def test_rungs_at_one_point_differ_in_their_seed(made):
    points = [(rung.params, rung.tokens, rung.seed) for rung in made.ladder.rungs]
    assert len(set(points)) == len(points)
    assert len({rung.params for rung in made.ladder.rungs}) >= 3


def test_a_larger_share_tells_more():
    told = [widths(ladder(share).ladder.after) for share in (0.01, 0.05, 0.2)]
    assert told == sorted(told, reverse=True)
    assert [loss for _, loss in told] == sorted((loss for _, loss in told), reverse=True)


def test_the_optimal_design_is_expected_to_tell_more_than_the_usual_ones_of_equal_cost(made):
    by_name = {option.design: option for option in made.ladder.options}
    optimal = widths(by_name["optimal"].expected)
    for name in ("isoflop", "grid"):
        usual = by_name[name]
        assert usual.compute_flops == pytest.approx(0.05 * made.ladder.target.budget_flops)
        assert math.prod(optimal) < math.prod(widths(usual.expected))
    assert all(ours <= 0.75 * theirs for ours, theirs in zip(optimal, widths(by_name["grid"].expected), strict=True))


def test_a_ladder_by_a_usual_design_is_that_design():
    found = ladder(design="isoflop").ladder
    chosen = next(option for option in found.options if option.design == "isoflop")
    assert found.after == chosen.expected
    assert len(found.rungs) == chosen.runs


def test_more_noise_tells_less(made):
    noisy = ladder(noise_sd=0.006).ladder
    assert all(n > q for n, q in zip(widths(noisy.after), widths(made.ladder.after), strict=True))


def test_noise_that_nothing_tells_is_asked_for():
    law = catalog.law("besiroglu-2024").model_copy(update={"residual_sd": None})
    silent = target(law=NamedLaw(name="mine", law=law))
    with pytest.raises(SixndError, match="--noise"):
        ladder(of=silent, noise_sd=None)
    assert ladder(noise_sd=None).ladder.noise_sd == 0.0075


def test_a_share_that_pays_for_no_ladder_is_told_with_one_that_does():
    with pytest.raises(InfeasibleError, match=r"a share of ([0-9.e-]+) would do") as told:
        ladder(1e-7)
    share = float(str(told.value).partition("a share of ")[2].split()[0])
    assert ladder(share).ladder.spent_share <= share


def test_a_published_family_is_refused_before_anything_is_planned():
    family = catalog.names("model-families")[0]
    with pytest.raises(ContradictionError, match="a published family has one size") as found:
        ladder(of=target(model={"family": family}))
    assert found.value.problem.path == ("model", "family")


def test_a_tiny_target_needs_no_ladder():
    with pytest.raises(InfeasibleError, match="too small to need a ladder"):
        ladder(0.05, of=spec({"compute": 1e12}, model={"vocab_size": 512, "sequence_length": 128}))


def test_what_the_target_pins_for_its_size_is_left_to_the_law_on_the_rungs():
    pinned = target(training={"global_batch": 4e6, "learning_rate": 1e-4, "schedule": "wsd"}, layout={"tensor": 8})
    for rung in ladder(of=pinned).specs:
        plan = make_plan(rung)
        loss = 3.0  # the law of step-law-2025 does not ask for it
        point = Point(plan.model.params_non_embedding, rung.data.tokens, loss)
        assert plan.training.global_batch == global_batch(rung, point).sequences
        assert plan.training.learning_rate != 1e-4
        assert plan.training.schedule == "wsd"
        assert plan.layout.tensor < 8


def test_a_learning_rate_that_the_law_does_not_give_stays_the_targets():
    assert catalog.hyperparameter_law("minicpm-2024").learning_rate is None
    pinned = target(training={"learning_rate": 0.002, "global_batch": 1e6}, hyperparameter_law="minicpm-2024")
    for rung in ladder(of=pinned).specs:
        assert rung.training.learning_rate == 0.002
        assert rung.training.global_batch is None


def test_mup_carries_the_targets_learning_rate_to_every_rung():
    mup = {"parametrization": "mup", "mup_base_width": 256, "learning_rate": 0.01}
    assert all(rung.training.learning_rate == 0.01 for rung in ladder(of=target(training=mup)).specs)


def test_a_target_counted_exactly_has_its_ladder_counted_exactly():
    exact = spec({"compute": 1e21, "counting": "exact"}, "64 x h100-sxm", model={"vocab_size": 32768})
    made = ladder(of=exact)
    plans = [make_plan(rung) for rung in made.specs]
    spent = sum(plan.model.flops_per_token * plan.data.tokens for plan in plans)
    assert 0.8 * 0.05 < spent / made.ladder.target.budget_flops <= 0.05


def test_a_law_of_this_corpus_is_trusted_more_than_one_of_another():
    law = NamedLaw(name="mine", law=catalog.law("besiroglu-2024"))
    own, other = known(law, own=True), known(law, own=False)
    more = other.covariance - own.covariance
    assert np.linalg.eigvalsh(more).min() > -1e-8
    assert np.linalg.eigvalsh(own.precision - other.precision).min() > -1e-6 * np.linalg.norm(own.precision)


def test_a_ladder_on_a_shared_host_keeps_its_processes():
    cpu = spec({"time": "8 hours"}, "2 x cpu-2core", model={"vocab_size": 2048, "sequence_length": 256})
    assert {rung.accelerators for rung in ladder(0.3, of=cpu).ladder.rungs} == {2}


@given(st.floats(1e-4, 1e-2))
def test_a_huber_fit_loses_between_nothing_and_what_absolute_deviations_lose(noise_sd):
    assert 1 - 1e-12 <= huber_variance_ratio(noise_sd) <= math.pi / 2
    assert huber_variance_ratio(noise_sd, delta=10 * noise_sd) == pytest.approx(1, abs=1e-6)
    assert huber_variance_ratio(noise_sd, delta=1e-4 * noise_sd) == pytest.approx(math.pi / 2, rel=1e-3)
