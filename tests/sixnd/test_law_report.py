"""`sixnd report` of a fitted law."""

import json

import pytest

from sixnd.cli import main
from tests.reports.build import small_plan
from tests.reports.law_build import law


@pytest.fixture
def law_file(tmp_path):
    file = tmp_path / "law.yaml"
    file.write_text(law().to_yaml())
    return file


def test_a_law_read_back_from_its_file_is_printed_in_eighty_columns(law_file, capsys):
    assert main(["report", str(law_file)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ladder\nL = 1.800")
    assert max(map(len, out.splitlines())) <= 80


def test_a_law_is_written_in_every_format(law_file, tmp_path, capsys):
    for suffix, start in ((".html", b"<!doctype"), (".md", b"# ladder"), (".json", b"{"), (".png", b"\x89PNG")):
        assert main(["report", str(law_file), "-o", str(tmp_path / f"fit{suffix}")]) == 0
        assert (tmp_path / f"fit{suffix}").read_bytes().startswith(start)
    assert capsys.readouterr().out == ""


def test_json_holds_the_facts_of_the_law(law_file, capsys):
    assert main(["report", str(law_file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "law-facts/1"


def test_a_plan_has_no_picture_and_says_what_it_has(tmp_path, capsys):
    plan = tmp_path / "plan.yaml"
    plan.write_text(small_plan().to_yaml())
    assert main(["report", str(plan), "-o", str(tmp_path / "plan.png")]) == 2
    assert "a report of a plan or run is one of .html, .md, .json" in capsys.readouterr().err
    assert not (tmp_path / "plan.png").exists()


def test_a_law_with_a_mistake_is_told_with_its_line(law_file, capsys):
    law_file.write_text(law_file.read_text().replace("alpha: 0.35", "alpha: -0.35"))
    assert main(["report", str(law_file)]) == 3
    assert f"{law_file}:" in capsys.readouterr().err
