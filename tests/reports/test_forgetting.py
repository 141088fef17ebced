"""What a run forgot of its base: in its own report, and of several runs side by side."""

import json
import math
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.reports.forgetting_comparison import forgetting_comparison
from sixnd.reports.forgetting_facts import forgetting_facts
from sixnd.reports.html import comparison_html, run_html
from sixnd.reports.markdown import comparison_markdown, run_markdown
from sixnd.reports.run_facts import run_facts
from sixnd.reports.terminal import comparison_text, plan_text, run_text
from sixnd.specs.continual import GeneralSource, PlannedContinual
from sixnd.specs.errors import SixndError
from sixnd.specs.evaluation_record import SourceLoss, SourceLosses
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord, event_line

HELD_OUT = {"prose": (1000, 4000), "code": (3000, 9000)}  # tokens, bytes
TO = {"prose": (2.0, 2.9, 2.4), "code": (5.0, 4.0, 3.5)}  # before, highest on the way, after


def continued(plan: Plan, replay: float = 0.05, general: tuple[str, ...] = ("prose",)) -> Plan:
    """The plan as one that starts from a base and replays ``general``."""
    planned = PlannedContinual(
        base="runs/base",
        name="base/0a1b2c3d",
        kind="run",
        step=700,
        sha256="ab" * 32,
        replay=replay,
        general=[GeneralSource(name=name) for name in general],
    )
    return plan.model_copy(update={"continual": planned, "name": f"from-base-{replay:g}"})


def measured(plan: Plan, record: RunRecord, forgotten: float = 0.4) -> RunRecord:
    """The record with each source measured before the first step, on the way, and at the end."""
    moments = (0, plan.training.steps // 2, plan.training.steps)
    events = [
        SourceLosses(
            attempt=1,
            step=step,
            sources=[
                SourceLoss(
                    name=source.name,
                    loss=(loss := _loss(source.name, number, forgotten)),
                    tokens=(tokens := HELD_OUT[source.name][0]),
                    bytes=(size := HELD_OUT[source.name][1]),
                    bits_per_byte=loss * tokens / size / math.log(2),
                )
                for source in plan.data.sources
            ],
            seconds=1,
        )
        for number, step in enumerate(moments)
    ]
    return RunRecord(events=[*record.events, *events])


def _loss(name: str, number: int, forgotten: float) -> float:
    return TO[name][0] + forgotten if (name, number) == ("prose", 2) else TO[name][number]


@pytest.fixture
def plan(small_plan: Plan) -> Plan:
    found = [source for source in small_plan.data.sources if source.name in HELD_OUT]
    assert len(found) == 2
    return continued(small_plan.model_copy(update={"data": small_plan.data.model_copy(update={"sources": found})}))


def test_forgetting_is_the_general_loss_after_less_before_in_nats_and_bits_a_byte(
    plan: Plan, resumed: RunRecord
) -> None:
    facts = forgetting_facts(plan, measured(plan, resumed))
    assert facts is not None
    assert [row.name for row in facts.sources] == ["prose", "code"]  # general text first
    prose = facts.of("general")
    assert prose is not None
    assert (prose.before.value, prose.highest.value, prose.after.value) == (2.0, 2.9, 2.4)
    assert prose.highest_step == plan.training.steps // 2
    assert prose.change.text == "+0.400 nats"
    assert prose.bits_change.value == pytest.approx(0.4 * 1000 / 4000 / math.log(2), abs=1e-5)
    code = facts.of("new")
    assert code is not None
    assert code.change.value == -1.5
    assert facts.tokens == [step * plan.training.global_batch * plan.model.sequence_length for step in facts.steps]


def test_all_general_text_together_is_weighed_by_its_tokens(plan: Plan, resumed: RunRecord) -> None:
    both = continued(plan, general=("prose", "code"))
    facts = forgetting_facts(both, measured(both, resumed))
    assert facts is not None
    assert [row.together for row in facts.sources] == [False, False, True]
    together = facts.of("general")
    assert together is not None
    assert together.before.value == pytest.approx((2.0 * 1000 + 5.0 * 3000) / 4000)
    assert facts.of("new") is None


def test_a_loss_that_is_no_number_is_the_highest_and_no_curve_breaks(plan: Plan, resumed: RunRecord) -> None:
    record = measured(plan, resumed)
    events = [
        event.model_copy(update={"sources": [each.model_copy(update={"loss": math.nan}) for each in event.sources]})
        if isinstance(event, SourceLosses) and event.step == plan.training.steps // 2
        else event
        for event in record.events
    ]
    facts = forgetting_facts(plan, RunRecord(events=events))
    assert facts is not None
    assert facts.sources[0].highest.text == "not a number"
    assert facts.curves["prose"][1] is None
    assert "not a number at step" in run_html(plan, RunRecord(events=events))


def test_every_rendering_of_a_run_has_a_section_of_forgetting(plan: Plan, resumed: RunRecord) -> None:
    record = measured(plan, resumed)
    page, text, markdown = run_html(plan, record), run_text(plan, record, 130), run_markdown(plan, record)
    for rendered in (page, text, markdown):
        assert "Forgetting" in rendered
        assert "+0.400" in rendered
        assert "Started from base/0a1b2c3d after step 700" in rendered
    for key in ("forgetting-general", "forgetting-new"):
        assert f'data-chart="{key}"' in page
    assert run_facts(plan, record).plain()["forgetting"]["sources"][0]["change"]["value"] == pytest.approx(0.4)


def test_the_loss_of_a_run_from_a_base_is_told_as_not_predicted(plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(plan, measured(plan, resumed))
    assert facts.row("loss").planned.text == "not predicted"
    assert facts.row("loss").status == "not predicted"
    assert facts.verdict.startswith("+0.400 nats on general text; −1.500 nats on new text")
    assert "which no law predicts" in facts.verdict
    assert "loss not predicted" in plan_text(plan, 200)
    assert "predicted final loss" not in run_html(plan, resumed)


def test_a_run_from_new_weights_has_nothing_to_forget(small_plan: Plan, resumed: RunRecord) -> None:
    assert forgetting_facts(small_plan, resumed) is None
    assert "Forgetting" not in run_text(small_plan, resumed)
    with pytest.raises(SixndError, match="started from new weights"):
        forgetting_comparison([(small_plan, resumed)])


def test_several_runs_stand_side_by_side_by_their_replayed_share(plan: Plan, resumed: RunRecord) -> None:
    runs = [
        (made := continued(plan, replay), measured(made, resumed, forgotten))
        for replay, forgotten in ((0.25, 0.1), (0.0, 0.9), (0.05, 0.4))
    ]
    facts = forgetting_comparison(runs)
    assert [run.replay.value for run in facts.runs] == [0.0, 0.05, 0.25]
    assert [run.general.change.text for run in facts.runs if run.general] == [
        "+0.900 nats",
        "+0.400 nats",
        "+0.100 nats",
    ]
    assert not facts.warnings
    for rendered in (comparison_text(runs, 150), comparison_markdown(runs), comparison_html(runs)):
        assert "from-base-0.25" in rendered
        assert "+1.500" in rendered  # learnt: the new text's loss before less after
    assert 'data-chart="compared-general"' in comparison_html(runs)


def test_runs_that_cannot_be_compared_say_why(plan: Plan, resumed: RunRecord) -> None:
    assert plan.continual is not None
    other = plan.model_copy(update={"continual": plan.continual.model_copy(update={"sha256": "cd" * 32})})
    cut = measured(plan, resumed)
    half = RunRecord(events=[event for event in cut.events if getattr(event, "step", 0) <= plan.training.steps // 2])
    facts = forgetting_comparison([(plan, cut), (other, half)])
    assert [run.name for run in facts.runs] == sorted(f"{each.name}/{each.fingerprint()}" for each in (plan, other))
    told = " ".join(facts.warnings)
    for words in ("different bases", "different numbers of tokens", "has not finished"):
        assert words in told


def test_the_command_line_compares_run_folders(plan: Plan, resumed: RunRecord, tmp_path: Path, capsys) -> None:
    for replay in (0.0, 0.25):
        made = continued(plan, replay)
        folder = tmp_path / f"{replay:g}"
        folder.mkdir()
        (folder / "plan.yaml").write_text(made.to_yaml())
        record = measured(made, resumed, 0.5 - replay)
        (folder / "record.jsonl").write_text("".join(event_line(event) for event in record.events))
    folders = [str(tmp_path / "0.25"), str(tmp_path / "0")]
    assert main(["report", *folders, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [run["general"]["change"]["value"] for run in told["runs"]] == pytest.approx([0.5, 0.25])
    assert main(["report", *folders, "-o", str(tmp_path / "compared.html")]) == 0
    assert "Replay against forgetting" in (tmp_path / "compared.html").read_text()
