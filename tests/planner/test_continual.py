"""What a plan makes of a base: shares, learning rate, what is told of them, and what is not predicted."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sixnd.planner.continual import from_base
from sixnd.planner.explain import explain
from sixnd.planner.ladder import Request, make_ladder
from sixnd.planner.plan import make_plan
from sixnd.planner.relocation import relocated
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import ContradictionError
from sixnd.specs.load import load_budget, load_plan
from sixnd.specs.plan import Plan
from tests.specs import bases

SIZES = ("model.params", "model.shape", "model.vocab_size", "model.tied_embeddings")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bases")
    bases.a_run(root / "run")
    bases.a_llama(root / "llama")
    return root


def spec(folder: Path, *said: str, base: str = "run", training: str = "") -> BudgetSpec:
    lines = "".join(f"  {line}\n" for line in said)
    changes = [("  base:", f"{lines}  base:"), *([("data:", f"training: {{{training}}}\ndata:")] if training else [])]
    return load_budget(bases.spec_file(folder, base, *changes))


def planned(folder: Path, *said: str, **more: str) -> Plan:
    return make_plan(spec(folder, *said, **more))


def shares(plan: Plan) -> dict[str, float]:
    return {source.name: source.weight for source in plan.data.sources}


def test_sizes_are_the_bases_and_said_to_be(folder: Path) -> None:
    plan = planned(folder)
    assert plan.model.shape.plain() == bases.SHAPE
    told = {decision.what: decision for decision in plan.decisions}
    for what in SIZES:
        assert told[what].source == "continual.base"
        assert "which training starts from" in told[what].reason
    assert told["continual.base"].value.endswith("after step 6")
    assert "no weight is drawn anew" in told["training.init_std"].reason


def test_general_text_gets_the_replayed_share_in_the_bases_own_proportions(folder: Path) -> None:
    assert shares(planned(folder)) == pytest.approx({"code": 0.95, "prose": 0.0375, "notes": 0.0125})
    assert shares(planned(folder, "replay: 25%")) == pytest.approx({"code": 0.75, "prose": 0.1875, "notes": 0.0625})
    none = planned(folder, "replay: 0%")
    assert shares(none) == {"code": 1.0, "prose": 0.0, "notes": 0.0}
    assert none.continual is not None
    assert [source.name for source in none.continual.general] == ["prose", "notes"]  # measured all the same


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(replay=st.floats(0, 0.99), weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=4))
def test_shares_sum_to_one_and_general_ones_to_the_replay(folder: Path, replay: float, weights: list[float]) -> None:
    asked = spec(folder)
    assert asked.continual is not None
    code, *general = asked.data.sources
    new = [code.model_copy(update={"name": f"new-{i}", "weight": weight}) for i, weight in enumerate(weights)]
    data = asked.data.model_copy(update={"sources": [general[0], *new, general[1]]})
    continual = asked.continual.model_copy(update={"replay": replay})
    found = from_base(asked.model_copy(update={"data": data, "continual": continual})).data.sources
    assert [source.name for source in found] == ["prose", *(source.name for source in new), "notes"]
    given_shares = {source.name: source.weight or 0.0 for source in found}
    assert sum(given_shares.values()) == pytest.approx(1)
    assert given_shares["prose"] + given_shares["notes"] == pytest.approx(replay)
    assert given_shares["prose"] == pytest.approx(3 * given_shares["notes"])


def test_the_peak_is_a_share_of_the_bases_own(folder: Path) -> None:
    plan = planned(folder)
    assert plan.training.learning_rate == pytest.approx(0.5e-3)
    assert plan.training.final_learning_rate == pytest.approx(0.5e-4)
    assert plan.training.warmup_steps > 0
    assert planned(folder, "rewarm: 0.2").training.learning_rate == pytest.approx(0.2e-3)
    assert planned(folder, "peak_learning_rate: 4e-3").training.learning_rate == pytest.approx(2e-3)
    told = next(decision for decision in plan.decisions if decision.what == "training.learning_rate")
    assert told.reason.startswith("0.5 of the base's own peak of 0.001")
    assert "arXiv:2308.04014" in told.source
    assert not told.pinned


def test_without_warming_up_it_starts_where_the_base_ended(folder: Path) -> None:
    plan = planned(folder, "rewarm: none")
    assert plan.training.learning_rate == pytest.approx(1e-4)
    assert plan.training.final_learning_rate == pytest.approx(1e-5)
    assert plan.training.warmup_steps == 0
    told = next(decision for decision in plan.decisions if decision.what == "training.learning_rate")
    assert "arXiv:2407.07263" in told.source
    assert told.pinned


def test_a_rate_of_the_spec_stands(folder: Path) -> None:
    plan = planned(folder, training="learning_rate: 7e-5")
    assert plan.training.learning_rate == 7e-5
    told = next(decision for decision in plan.decisions if decision.what == "training.learning_rate")
    assert told.source == "spec: training.learning_rate"


def test_the_loss_is_not_predicted_and_every_way_of_telling_it_says_so(folder: Path) -> None:
    plan = planned(folder)
    assert plan.estimates.loss.extrapolated
    assert "not a prediction of this run" in plan.estimates.loss.basis
    assert plan.warnings[0].startswith("continual: the loss at the end is not predicted")
    assert "not a prediction" in explain(plan, "loss").steps[0].formula
    assert explain(plan, "lr").steps[0].formula.startswith("0.5 of the base's own peak")
    assert "against forgetting" in explain(plan, "mix").steps[0].formula


def test_a_folder_is_warned_of_where_its_training_text_is_not_known(folder: Path) -> None:
    text = bases.spec_file(folder, "llama", ("  base:", "  general: [prose]\n  peak_learning_rate: 1e-3\n  base:"))
    text.write_text(text.read_text() + '    - {name: prose, path: "*.txt"}\n')
    plan = make_plan(load_budget(text))
    assert shares(plan) == pytest.approx({"code": 0.95, "prose": 0.05})
    assert any("whether the base was trained on the held-out text" in warning for warning in plan.warnings)
    assert plan.continual is not None
    assert plan.continual.general[0].train_prefix is None
    nothing = planned(folder, "replay: 0%", "peak_learning_rate: 1e-3", base="llama")
    assert any("what it forgets is not measured" in warning for warning in nothing.warnings)


def test_where_the_base_lies_changes_no_fingerprint_and_its_weights_do(folder: Path, tmp_path: Path) -> None:
    plan = planned(folder)
    assert plan.continual is not None
    moved = plan.continual.model_copy(update={"base": "elsewhere", "name": "renamed"})
    assert plan.model_copy(update={"continual": moved}).fingerprint() == plan.fingerprint()
    for change in ({"sha256": "0" * 64}, {"replay": 0.06}):
        other = plan.continual.model_copy(update=change)
        assert plan.model_copy(update={"continual": other}).fingerprint() != plan.fingerprint()
    file = tmp_path / "plan.yaml"
    file.write_text(plan.to_yaml())
    assert load_plan(file) == plan
    assert plan.spec.digest() == plan.spec_sha256


def test_a_plan_from_new_weights_keeps_the_fingerprint_it_had() -> None:
    assert bases.plan_of_base().fingerprint() == "f4371f6a"


def test_a_ladder_for_a_run_from_a_base_is_refused(folder: Path) -> None:
    with pytest.raises(ContradictionError, match="tells nothing of one from a base"):
        make_ladder(spec(folder), Request(share=0.05), "code.yaml")


def test_a_run_goes_on_elsewhere_from_the_same_base(folder: Path) -> None:
    plan = planned(folder, "rewarm: none")
    moved = relocated(plan, spec(folder, "rewarm: none"))
    assert moved.continual == plan.continual
    assert moved.fingerprint() == plan.fingerprint()
