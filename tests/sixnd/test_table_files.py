"""Reports of data and tokenizers as files: page, Markdown and JSON of the same tables."""

import json
from html import unescape
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.runner.tokenizers.file import write_tokenizer
from sixnd.runner.tokenizers.training import train
from sixnd.specs.record import event_line
from tests.reports.build import resumed_run, small_plan

TEXT = "the cat sat on the mat and the dog lay on the rug; " * 40


@pytest.fixture
def judged(tmp_path: Path) -> list[str]:
    (tmp_path / "mine.txt").write_text(TEXT, "utf-8")
    write_tokenizer(tmp_path / "t.tok", "byte-bpe", train("byte-bpe", [TEXT], 270, 1))
    return ["tokenizer", "report", str(tmp_path / "t.tok"), "--text", str(tmp_path / "mine.txt")]


def test_a_report_of_tokenizers_is_the_same_in_every_format(judged: list[str], tmp_path: Path, capsys) -> None:
    for suffix in (".html", ".md", ".json"):
        assert main([*judged, "-o", str(tmp_path / f"out{suffix}")]) == 0
    assert capsys.readouterr().out == ""
    facts = json.loads((tmp_path / "out.json").read_text("utf-8"))
    rate = f"{facts['tokenizers'][0]['bytes_per_token']:.2f}"
    for suffix in (".html", ".md"):
        shown = unescape((tmp_path / f"out{suffix}").read_text("utf-8"))
        assert rate in shown
        assert "By source" in shown


def test_data_of_a_run_is_written_as_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    plan = small_plan()
    (folder / "plan.yaml").write_text(plan.to_yaml(), "utf-8")
    (folder / "record.jsonl").write_text("".join(map(event_line, resumed_run(plan).events)), "utf-8")
    assert main(["data", "stats", str(folder), "-o", str(tmp_path / "data.html")]) == 0
    page = (tmp_path / "data.html").read_text("utf-8")
    assert "What became of the documents of" in page
    assert all(source.name in page for source in plan.data.sources)


def test_another_format_is_refused_before_anything_is_read(judged: list[str], tmp_path: Path, capsys) -> None:
    assert main([*judged, "-o", str(tmp_path / "out.pdf")]) == 2
    assert main(["data", "audit", str(tmp_path / "none"), "-o", "audit.csv"]) == 2
    assert ".html, .md, .json" in capsys.readouterr().err
