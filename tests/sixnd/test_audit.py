"""`sixnd audit`: exit codes, and what is told of mistakes."""

import json

import pytest

from sixnd.cli import main
from sixnd.specs import catalog

WRITTEN = ["audit", "--params", "7B", "--tokens", "1T", "--accelerators", "64 x a100-sxm", "--time", "15 days"]


def test_an_impossible_claim_exits_with_4_and_says_why(capsys):
    assert main(WRITTEN) == 4
    assert "IMPOSSIBLE. It needs 162 % MFU" in capsys.readouterr().out


def test_the_audit_as_text(capsys, snapshot):
    main(WRITTEN)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert out == snapshot


def test_the_table_of_known_runs(capsys, snapshot):
    assert main(["audit", "--known"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in catalog.names("published-runs"))
    assert out == snapshot


def test_the_numbers_are_there_as_json(capsys):
    assert main([*WRITTEN, "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert told["mfu_needed"] == pytest.approx(1.623, abs=1e-3)
    assert told["run"]["over_training"] == pytest.approx(50 / 7)
    assert told["can_be_true"] is False


def test_a_file_and_a_published_run_are_claims_that_options_change(tmp_path, capsys):
    file = tmp_path / "claim.yaml"
    file.write_text(
        "version: claim/1\nname: ours\nparams: 7B\ntokens: 1T\naccelerators: 64 x a100-sxm\ntime: 60 days\n"
    )
    assert main(["audit", str(file)]) == 0
    assert main(["audit", str(file), "--time", "15 days"]) == 4
    assert main(["audit", "llama-1-7b"]) == 0
    assert main(["audit", "llama-1-7b", "--accelerator-hours", "20k GPU-hours"]) == 4
    capsys.readouterr()


def test_every_mistaken_option_is_named_at_once(capsys):
    options = ["--params", "7X", "--time", "15", "--mfu", "fast", "--accelerators", "64 x a100-sxn", "--loss", "-1"]
    assert main(["audit", *options]) == 2
    told = capsys.readouterr().err
    assert all(f"{option}: " in told for option in options[::2])


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["lama-1-7b"], 2, "did you mean 'llama-1-7b'?"),
        (["--law", "kaplan-2020", "--params", "7B"], 2, "--law: 'kaplan-2020' does not give"),
        (["--params", "7B"], 3, "no compute follows from this claim"),
        (["--known", "--params", "7B"], 2, "leave the claim out"),
    ],
)
def test_a_wrong_or_incomplete_call_says_what_to_do(capsys, arguments, code, told):
    assert main(["audit", *arguments]) == code
    assert told in capsys.readouterr().err


def test_a_mistake_in_a_claim_file_is_told_with_its_line(tmp_path, capsys):
    file = tmp_path / "claim.yaml"
    file.write_text("version: claim/1\nparams: 7B\ntokes: 1T\n")
    assert main(["audit", str(file)]) == 3
    assert f"{file}:3:1: unknown key 'tokes'; did you mean 'tokens'?" in capsys.readouterr().err
