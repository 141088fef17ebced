import json
from pathlib import Path
from typing import Any

import pytest

from sixnd.cli import main
from sixnd.runner.indexed import verified
from sixnd.runner.tokenizers.file import load_tokenizer
from tests.runner.conftest import ROOT
from tests.runner.data.needs import needs

SPEC = """
version: budget/1
name: small
budget: {time: 1 min}
cluster: {accelerators: 1 x cpu-2core}
model: {params: 1.1M params, sequence_length: 256}
data:
  sources:
    - {name: code, path: "text/*.py", weight: 3, kind: code}
    - {name: prose, path: "text/*.jsonl", weight: 1, kind: web}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder we are in, with a spec, code and JSON lines."""
    text = tmp_path / "text"
    text.mkdir()
    for path in sorted((ROOT / "specs").glob("*.py")):
        (text / path.name).write_bytes(path.read_bytes())
    words = "the a tokenizer model of text reads in words naïve 日本語 and is trained on them"
    records = [{"text": " ".join(words.split()[i % 7 : i % 7 + 8] * 5), "language": "en"} for i in range(40)]
    (text / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "spec.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main(["tokenizer", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def trained(*arguments: str) -> Path:
    given = ["text/*.py", "-o", "t.tok", "--vocab-size", "600", *arguments]
    assert main(["tokenizer", "train", *given]) == 0
    return Path("t.tok")


@pytest.mark.parametrize("kind", ["byte-bpe", "sp-bpe", "sp-unigram", "wordpiece"])
def test_training_writes_a_tokenizer_of_the_kind_and_size_asked_for(folder: Path, kind: str) -> None:
    model = load_tokenizer(trained("--kind", kind))
    assert (model.kind, model.vocab_size) == (kind, 600)


def test_a_specs_sources_are_sampled_by_weight_and_the_text_is_told(folder: Path, capsys) -> None:
    told = printed(
        capsys, "train", "spec.yaml", "--vocab-size", "400", "-o", "a.tok", "--sample-mb", "0.02", "--threads", "1"
    )
    assert {s["source"]: s["asked_bytes"] for s in told["sample"]} == {"code": 15_000, "prose": 5_000}
    assert all(s["asked_bytes"] - 4 < s["bytes"] <= s["asked_bytes"] for s in told["sample"])
    assert told["bytes_per_token"] > 1


@pytest.mark.parametrize("seed", [[], ["--seed", "1"]])
def test_the_same_text_and_seed_give_the_same_file(folder: Path, seed: list[str]) -> None:
    found = [trained("--sample-mb", "0.05", "--threads", threads, *seed).read_bytes() for threads in ("1", "2")]
    assert found[0] == found[1]
    assert trained("--sample-mb", "0.05", "--seed", "2").read_bytes() != found[0]


def test_auto_takes_the_vocabulary_law_rounded_for_tensor_parallelism_and_says_why(folder: Path, capsys) -> None:
    assert main(["tokenizer", "train", "spec.yaml", "--vocab-size", "auto", "-o", "a.tok"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert load_tokenizer(Path("a.tok")).vocab_size == 512
    assert "512 entries:" in told
    assert "multiple of 8" in told
    assert "lie outside the 3.3e+07 to 1.1e+09 that tao-2024 was fitted on" in told


def test_auto_without_a_spec_and_what_is_no_size_are_wrong_calls(folder: Path, capsys) -> None:
    for size, said in (("auto", "name a spec"), ("many", "whole number"), ("-5", "whole number")):
        assert main(["tokenizer", "train", "text/*.py", "--vocab-size", size, "-o", "a.tok"]) == 2
        assert said in capsys.readouterr().err
    assert not Path("a.tok").exists()


def test_too_little_text_is_said_and_nothing_is_written(folder: Path, capsys) -> None:
    assert main(["tokenizer", "train", "text/a.jsonl", "--vocab-size", "20000", "-o", "a.tok"]) == 3
    assert "a vocabulary of 20,000 cannot be trained" in capsys.readouterr().err
    assert not Path("a.tok").exists()


def test_wordpiece_is_told_to_be_lossy_wherever_it_is_chosen(folder: Path, capsys) -> None:
    trained("--kind", "wordpiece")
    assert "WordPiece is lossy" in " ".join(capsys.readouterr().out.split())
    assert main(["tokenizer", "report", "t.tok", "--text", "text/*.py"]) == 0
    assert "WordPiece is lossy" in " ".join(capsys.readouterr().out.split())
    spec = Path("spec.yaml")
    spec.write_text(SPEC + "  tokenizer: {kind: wordpiece}\n")
    assert main(["plan", "spec.yaml", "--json"]) == 0
    assert any("WordPiece is lossy" in warning for warning in json.loads(capsys.readouterr().out)["warnings"])


def test_a_report_measures_by_source_domain_and_language(folder: Path, capsys) -> None:
    trained()
    told = printed(capsys, "report", "t.tok", "--spec", "spec.yaml")
    (whole,) = told["tokenizers"]
    code, prose = told["by_source"]
    assert whole["came_back"] == whole["documents"] == code["documents"] + prose["documents"]
    assert whole["tokens"] == code["tokens"] + prose["tokens"]
    assert code["bytes"] == sum(len(path.read_bytes()) for path in Path("text").glob("*.py"))
    assert code["bytes_per_token"] > prose["bytes_per_token"] > 1
    assert prose["words"] == 40 * 40
    assert {row["name"] for row in told["by_domain"]} == {"code", "web"}
    assert {row["name"]: row["documents"] for row in told["by_language"]}["en"] == 40
    assert 0 < code["used_share"] <= whole["used_share"] < 1


def test_a_report_counts_tokens_as_encoding_does(folder: Path, capsys) -> None:
    trained()
    told = printed(capsys, "report", "t.tok", "--text", "mine=text/*.py")
    assert main(["tokenizer", "encode", "t.tok", "--text", "text/*.py", "-o", "out"]) == 0
    documents = told["tokenizers"][0]["documents"]
    assert verified(Path("out")).tokens == told["tokenizers"][0]["tokens"] + documents
    assert [row["name"] for row in told["by_source"]] == ["mine"]


def test_documents_that_were_held_out_are_judged_by_and_not_trained_on(folder: Path, capsys) -> None:
    told = printed(capsys, "train", "text/*.py", "-o", "t.tok", "--vocab-size", "600", "--hold-out", "0.3")
    judged = printed(capsys, "report", "t.tok", "--text", "text/*.py", "--hold-out", "0.3")
    files = list(Path("text").glob("*.py"))
    assert 0 < judged["tokenizers"][0]["documents"] < len(files)
    assert told["sample"][0]["bytes"] + judged["tokenizers"][0]["bytes"] == sum(len(f.read_bytes()) for f in files)


def test_other_sizes_are_trained_on_what_is_not_held_out_and_judged_alike(folder: Path, capsys) -> None:
    trained("--hold-out", "0.3")
    told = printed(
        capsys,
        "report",
        "t.tok",
        "--text",
        "text/*.py",
        "--hold-out",
        "0.3",
        "--sizes",
        "400,600",
        "--spec",
        "spec.yaml",
    )
    rates = {one["tokenizer"]: one["bytes_per_token"] for one in told["tokenizers"]}
    assert list(rates) == ["t.tok", "byte-bpe-400", "byte-bpe-600"]
    assert rates["byte-bpe-400"] < rates["byte-bpe-600"] == rates["t.tok"]
    assert {"byte-bpe-400", "Llama 3"} <= {row["name"] for row in told["embeddings"]}
    assert main(["tokenizer", "report", "t.tok", "--text", "text/*.py", "--sizes", "400"]) == 2
    assert main(["tokenizer", "report", "t.tok", "--text", "text/*.py", "--hold-out", "0.3", "--sizes", "big"]) == 2


def test_a_lossy_tokenizer_is_found_out_on_the_text(folder: Path, capsys) -> None:
    trained("--kind", "wordpiece")
    (whole,) = printed(capsys, "report", "t.tok", "--text", "text/*.py")["tokenizers"]
    assert whole["came_back"] == 0
    assert whole["lossless"] is False


def test_embeddings_are_shown_at_published_sizes_for_the_model(folder: Path, capsys) -> None:
    trained()
    told = printed(capsys, "report", "t.tok", "--spec", "spec.yaml")
    assert main(["plan", "spec.yaml", "--json"]) == 0
    model = json.loads(capsys.readouterr().out)["model"]
    rows = {row["name"]: row for row in told["embeddings"]}
    matrices = 1 if model["tied_embeddings"] else 2
    for row in rows.values():
        assert row["params"] == matrices * row["rows"] * model["shape"]["hidden"]
        assert row["share"] == pytest.approx(row["params"] / (row["params"] + model["params_non_embedding"]))
        assert row["stored"] == ("int32" if row["entries"] > 65_499 else "uint16")
    assert [rows[name]["entries"] for name in ("Llama 2", "GPT-2", "Llama 3", "Gemma")] == [
        32000,
        50257,
        128000,
        256128,
    ]
    assert rows["t.tok"]["entries"] == 600


def test_parity_is_tokens_over_those_of_the_first_language(folder: Path, capsys) -> None:
    trained()
    Path("en.txt").write_text("import json\n" * 10)
    Path("xx.txt").write_text("日本語\n" * 10)
    told = printed(capsys, "report", "t.tok", "--parallel", "en=en.txt", "--parallel", "xx=xx.txt")
    first, other = told["parity"]
    assert (first["name"], first["parity"]) == ("en", 1)
    assert other["parity"] == pytest.approx(other["tokens"] / first["tokens"])
    assert other["parity"] > 1


def test_a_report_without_text_and_two_texts_of_one_name_are_wrong_calls(folder: Path, capsys) -> None:
    trained()
    assert main(["tokenizer", "report", "t.tok"]) == 2
    assert main(["tokenizer", "report", "t.tok", "--text", "a=text/*.py", "--text", "a=text/*.jsonl"]) == 2
    assert "same name" in capsys.readouterr().err


def test_encoding_tells_what_could_not_be_read_and_goes_on(folder: Path, capsys) -> None:
    trained()
    with Path("text/a.jsonl").open("a") as lines:
        lines.write("no json\n")
    told = printed(capsys, "encode", "t.tok", "--text", "text/a.jsonl", "-o", "out")
    assert told["documents"] == 40
    assert [(one["kind"], one["count"]) for one in told["damage"]] == [("not JSON", 1)]
    assert verified(Path("out")).documents == 40


def test_encoding_nothing_and_with_what_is_no_tokenizer_is_told(folder: Path, capsys) -> None:
    assert main(["tokenizer", "encode", "spec.yaml", "--text", "text/*.py", "-o", "out"]) == 3
    assert "tells of no tokenizer" in capsys.readouterr().err
    trained()
    assert main(["tokenizer", "encode", "t.tok", "-o", "out"]) == 2
    assert main(["tokenizer", "encode", "t.tok", "--text", "nowhere/*", "-o", "out"]) == 1
    assert "no file matches 'nowhere/*'" in capsys.readouterr().err
    assert not list(Path().glob("out*"))


@needs("zstandard")
def test_prepared_data_is_read_as_its_stages_left_it(folder: Path, capsys) -> None:
    stages = "stages: [{filter: normalise, change: {unicode: NFKC}}]"
    (folder / "a.txt").write_text("\u216b full stops \u2026 " * 400)  # NFKC: XII and three full stops
    data = f"data:\n  sources: [{{name: prose, path: 'a.txt', {stages}}}]\n"
    spec = SPEC[: SPEC.index("data:")] + data
    (folder / "spec.yaml").write_text(spec.replace("256}", "256, vocab_size: 270}"))
    assert main(["data", "prepare", "spec.yaml", "--into", "prepared"]) == 0
    (folder / "spec2.yaml").write_text(spec + "  prepared: prepared/prepared.yaml\n")
    printed(capsys, "train", "spec2.yaml", "--vocab-size", "270", "-o", "clean.tok")
    printed(capsys, "train", "spec.yaml", "--vocab-size", "270", "-o", "raw.tok")
    prepared = next((folder / "prepared").glob("tokenizer-*.tok"))
    assert Path("clean.tok").read_bytes() == prepared.read_bytes() != Path("raw.tok").read_bytes()
