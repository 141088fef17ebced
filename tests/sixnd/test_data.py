"""`sixnd data stats`, `sample` and `audit` on prepared text, as a user calls them."""

import json
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.specs.load import load_prepared
from sixnd.specs.record import event_line
from tests.reports.build import Story, small_plan
from tests.runner.data.needs import needs

pytestmark = needs("zstandard", "tokenizers", "tiktoken", "rensa")

SPEC = """\
version: budget/1
name: looked-at
budget: {compute: 1e13 FLOPs}
cluster: {accelerators: 1 x cpu-2core}
data:
  sources:
    - {name: notes, path: "notes/*.jsonl", stages: [normalise, exact-dedup, scrub-pii]}
    - {name: books, path: "books/*.jsonl"}
model: {vocab_size: 300, sequence_length: 64}
"""
_WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu"]


def _text(number: int) -> str:
    """A text of forty words that shares no five in a row with those of other numbers below a hundred."""
    return " ".join(f"{word}{number}" for word in _WORDS) + f"\nand {number} more lines of it"


def _line(number: int, text: str, **more: str) -> str:
    return json.dumps({"id": f"d{number}", "text": text} | more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two sources: one with a duplicate removed and addresses scrubbed, one that is taken with all its faults."""
    base = tmp_path_factory.mktemp("looked-at")
    notes = [_line(i, _text(i) + (" write to ann@example.com" if i < 3 else ""), license="MIT") for i in range(30)]
    notes.append(_line(30, _text(5), license="MIT"))
    books = [_line(i, _text(i + 50), licence="GPL-3.0-only" if i < 4 else "MIT") for i in range(20)]
    books += [_line(20, _text(51)), _line(21, _text(52) + " indeed"), _line(22, _text(7))]
    books += [_line(23, f"{_text(90)} \x1b]0;owned\x07 bob@example.com 93.184.216.34", language="en")]
    for name, lines in {"notes": notes, "books": books}.items():
        (base / name).mkdir()
        (base / name / "all.jsonl").write_text("\n".join(lines), "utf-8")
    (base / "spec.yaml").write_text(SPEC)
    assert main(["data", "prepare", str(base / "spec.yaml"), "--into", str(base / "work"), "--workers", "1"]) == 0
    return base / "work"


def called(capsys, *arguments: object) -> str:
    assert main(["data", *(str(one) for one in arguments)]) == 0
    return capsys.readouterr().out


def test_stats_tell_documents_by_source_and_stage_and_why_some_went(folder, capsys):
    facts = json.loads(called(capsys, "stats", folder, "--json"))
    notes, books = facts["sources"]
    assert [(s["name"], s["documents_out"]["value"]) for s in notes["stages"]] == [
        ("normalise", 31),
        ("exact-dedup", 30),
        ("scrub-pii", 30),
    ]
    assert notes["stages"][1]["removed"][0]["examples"][0]["id"].endswith("d30")
    assert notes["stages"][2]["changed"][0]["figure"]["value"] == 3
    assert books["stages"] == []
    assert {part["label"] for part in books["licences"]} == {"GPL-3.0-only", "MIT", "as the user's"}
    text = called(capsys, "stats", folder)
    assert "exact duplicate" in text
    assert "55 documents" in text


def test_stats_of_the_document_are_those_of_its_folder(folder, capsys):
    assert called(capsys, "stats", folder / "prepared.yaml") == called(capsys, "stats", folder)
    held = load_prepared(folder / "prepared.yaml").source("notes")
    assert held is not None
    assert held.documents == 30


def test_stats_of_a_folder_that_was_moved_with_its_document(folder, tmp_path, capsys):
    moved = tmp_path / "moved"
    moved.mkdir()
    text = (folder / "prepared.yaml").read_text().replace(str(folder), str(tmp_path / "gone"))
    (moved / "prepared.yaml").write_text(text)
    for each in folder.iterdir():
        if each.name != "prepared.yaml":
            (moved / each.name).symlink_to(each)
    assert called(capsys, "stats", moved / "prepared.yaml") == called(capsys, "stats", folder)


def test_stats_of_a_run_come_from_its_record(tmp_path, capsys):
    plan = small_plan()
    (tmp_path / "plan.yaml").write_text(plan.to_yaml())
    (tmp_path / "record.jsonl").write_text("".join(map(event_line, Story(plan).prepared().record().events)))
    facts = json.loads(called(capsys, "stats", tmp_path, "--json"))
    assert [source["name"] for source in facts["sources"]] == [source.name for source in plan.data.sources]


def test_a_folder_of_something_else_is_told(tmp_path, capsys):
    assert main(["data", "stats", str(tmp_path)]) == 3
    assert "work.json" in capsys.readouterr().err


def test_a_sample_is_drawn_evenly_and_again_by_its_seed(folder, capsys):
    def ids(seed: int) -> list[str]:
        found = json.loads(called(capsys, "sample", folder, "--source", "notes", "-n", 10, "--seed", seed, "--json"))
        assert found["of"] == 30
        return [document["id"] for document in found["documents"]]

    assert len(set(ids(0))) == 10
    assert ids(0) == ids(0)
    seen = {one for seed in range(12) for one in ids(seed)}
    assert len(seen) == 30, "every document is drawn sooner or later"
    assert len(json.loads(called(capsys, "sample", folder, "--source", "books", "-n", 99, "--json"))["documents"]) == 24


def test_a_sample_cannot_drive_the_terminal(folder, capsys):
    text = called(capsys, "sample", folder, "--source", "books", "-n", 99)
    assert "owned" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_sample_shows_what_was_removed_and_why(folder, capsys):
    text = called(capsys, "sample", folder, "--source", "notes", "--stage", "exact-dedup")
    assert "1 of 1 documents that were removed" in text
    assert "exact duplicate" in text
    assert "alpha5" in text
    by_reason = called(capsys, "sample", folder, "--source", "notes", "--removed", "exact duplicate", "--json")
    assert json.loads(by_reason)["documents"][0]["stage"] == "exact-dedup"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there are notes, books"),
        (["--source", "note"], "no source 'note'"),
        (["--source", "notes", "--stage", "near-dedup"], "normalise, exact-dedup, scrub-pii"),
        (["--source", "notes", "--removed", "dull"], "exact duplicate"),
    ],
)
def test_a_sample_of_what_is_not_there_names_what_is(folder, capsys, arguments, said):
    assert main(["data", "sample", str(folder), *arguments]) == 1
    assert said in capsys.readouterr().err


def test_an_audit_finds_what_was_left_in_and_nothing_that_was_taken_out(folder, capsys):
    found = json.loads(called(capsys, "audit", folder, "--json"))
    notes, books = found["sources"]
    assert (notes["documents_with_addresses"], notes["addresses"]) == (0, {})
    assert books["addresses"] == {"IP addresses": 1, "e-mail addresses": 1}
    assert [(held["kind"], held["documents"]) for held in books["licences"]] == [
        ("permissive", 16),
        ("copyleft", 4),
        ("unknown", 4),
    ]
    assert [(pair["source"], pair["of"], pair["exact"], pair["near"]) for pair in found["duplicates"]] == [
        ("books", "books", 1, 1),
        ("books", "notes", 1, 0),
    ]


def test_an_audit_is_told_in_sentences_and_leaves_nothing_behind(folder, capsys):
    before = sorted(folder.rglob("*"))
    text = called(capsys, "audit", folder)
    assert "4 documents under copyleft licences: GPL-3.0-only" in text
    assert "1 exact and 1 near duplicates of earlier ones" in " ".join(text.split())
    assert sorted(folder.rglob("*")) == before
