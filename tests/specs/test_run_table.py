"""Runs read from files: what is taken, what is refused and by which line."""

import json

import pytest

from sixnd.specs.errors import InvalidDocumentError, SixndError
from sixnd.specs.run_table import parse_columns, read_runs

HEADER = "params,tokens,loss"
ROWS = [
    "1e7,1e9,3.9",
    "2e7,1e9,3.7",
    "4e7,2e9,3.4",
    "8e7,4e9,3.1",
    "1.6e8,4e9,3.0",
    "3.2e8,8e9,2.8",
]


def table(tmp_path, rows, header=HEADER, name="runs.csv", columns=None):
    file = tmp_path / name
    file.write_text("\n".join([header, *rows]) + "\n")
    return read_runs(file, columns)


def refusal(tmp_path, rows, header=HEADER, columns=None) -> str:
    with pytest.raises(InvalidDocumentError) as caught:
        table(tmp_path, rows, header, columns=columns)
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_usual_names_are_known_and_a_run_is_named_by_its_line(tmp_path):
    found = table(tmp_path, ROWS)
    assert [row.params for row in found.rows[:2]] == [1e7, 2e7]
    assert found.rows[2].where == "runs.csv:4"
    assert found.refused == []


@pytest.mark.parametrize("letters", ["N,C,L", "C,D,L"])
def test_compute_stands_for_n_or_d(tmp_path, letters):
    rows = []
    for row in ROWS:
        N, D, L = (float(x) for x in row.split(","))
        values = {"N": N, "D": D, "C": 6 * N * D, "L": L}
        rows.append(",".join(str(values[letter]) for letter in letters.split(",")))
    found = table(tmp_path, rows, letters)
    assert [row.tokens for row in found.rows] == pytest.approx([float(row.split(",")[1]) for row in ROWS])


def test_columns_are_named_and_a_wrong_name_is_told_with_those_there_are(tmp_path):
    header = "size_of_model,seen,nats"
    found = table(tmp_path, ROWS, header, columns=parse_columns("N=size_of_model,D=seen,L=nats"))
    assert len(found.rows) == 6
    assert "size_of_model, seen, nats" in refusal(tmp_path, ROWS, header, columns=parse_columns("N=size,D=seen"))
    assert "--columns" in refusal(tmp_path, ROWS, header)


@pytest.mark.parametrize("text", ["N", "N=", "Q=x"])
def test_a_malformed_list_of_columns_is_refused(text):
    with pytest.raises(SixndError, match="N"):
        parse_columns(text)


def test_json_lines_are_read_and_a_broken_line_is_named(tmp_path):
    file = tmp_path / "runs.jsonl"
    rows = [json.dumps({"N": 1e7 * 2**i, "D": 1e9 * 3 ** (i % 3), "L": 4 - 0.1 * i}) for i in range(6)]
    file.write_text("\n".join(rows))
    assert len(read_runs(file).rows) == 6
    file.write_text("\n".join([*rows[:2], "{broken", *rows[2:]]))
    with pytest.raises(InvalidDocumentError, match=r"runs\.jsonl:3:1"):
        read_runs(file)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("1e8,2e9,nan", "diverged"),
        ("1e8,2e9,-3", "above zero"),
        ("1e8,2e9,inf", "diverged"),
        ("1e8,two,3", "no number"),
        ("1e8,2e9,", "no loss"),
        ("1e8,,3.0", "fewer than two"),
        ("0,2e9,3", "above zero"),
        ("0.5,2e9,3", "billions"),
        ("5e8,2,3", "billions"),
        ("5e17,2e9,3", "another unit"),
        ("5e8,2e18,3", "another unit"),
    ],
)
def test_a_row_that_is_no_run_is_refused_by_its_line_and_the_others_are_kept(tmp_path, row, why):
    found = table(tmp_path, [*ROWS[:3], row, *ROWS[3:]])
    assert len(found.rows) == 6
    assert [r.row for r in found.refused] == ["runs.csv:5"]
    assert why in found.refused[0].why


def test_too_few_runs_are_refused_with_every_bad_row(tmp_path):
    told = refusal(tmp_path, [*ROWS[:4], "1e8,2e9,nan"])
    assert "4 usable runs" in told
    assert "runs.csv:6" in told


def test_one_size_only_and_one_token_count_only_are_refused(tmp_path):
    assert "model size N" in refusal(tmp_path, [f"1e7,{i}e9,{4 - i / 10}" for i in range(1, 7)])
    assert "tokens D" in refusal(tmp_path, [f"{i}e7,1e9,{4 - i / 10}" for i in range(1, 7)])


def test_mixed_tokenizers_are_refused(tmp_path):
    rows = [f"{row},{'gpt2' if i < 3 else 'llama'}" for i, row in enumerate(ROWS)]
    assert "gpt2, llama" in refusal(tmp_path, rows, HEADER + ",tokenizer")


@pytest.mark.parametrize(("column", "word"), [(0, "parameters"), (1, "tokens")])
def test_counts_in_billions_are_refused(tmp_path, column, word):
    rows = []
    for row in ROWS:
        values = row.split(",")
        values[column] = str(float(values[column]) / 1e9)
        rows.append(",".join(values))
    assert f"1e9 {word}" in refusal(tmp_path, rows)


def test_compute_in_another_unit_is_refused(tmp_path):
    rows = [f"{row},{6 * float(row.split(',')[0]) * float(row.split(',')[1]) / 8.64e19}" for row in ROWS]
    assert "PF-days" in refusal(tmp_path, rows, HEADER + ",flops")


def test_perplexities_are_doubted(tmp_path):
    rows = [",".join([*row.split(",")[:2], str(2.718 ** float(row.split(",")[2]))]) for row in ROWS]
    assert "perplexities" in table(tmp_path, rows).warnings[0]


@pytest.mark.parametrize("text", ["", HEADER])
def test_an_empty_table_is_refused(tmp_path, text):
    file = tmp_path / "runs.csv"
    file.write_text(text)
    with pytest.raises(InvalidDocumentError):
        read_runs(file)


def test_a_folder_without_runs_and_a_missing_file_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(InvalidDocumentError):
            read_runs(path)
