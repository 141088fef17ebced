import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.flop_conventions import (
    deepseek_flops,
    hoffmann_flops,
    hoffmann_params,
    off_6nd,
)
from tests.planner.building import dense as built
from tests.planner.fitting.published import column, rows


def dense(layers, hidden, ffn, heads, vocab=32000, sequence=2048):
    return built(layers, hidden, heads, heads, ffn, vocab=vocab, sequence=sequence, tied=True, gated=False)


def test_table_a4_comes_out_without_embeddings_and_logits():
    table = rows("scaling/chinchilla_tables/table_A4_flop_ratio.csv")
    exact = (1.025036, 1.100817, 1.082919, 1.044094, 1.032902, 0.994114)  # karpathy/nanoGPT, scaling_laws.ipynb
    for row, ratio in zip(table, exact, strict=True):
        model = dense(*(int(row[name]) for name in ("n_layers", "d_model", "ffw_size", "n_heads")))
        assert hoffmann_params(model) == pytest.approx(float(row["params"]), rel=0.04)
        found = hoffmann_flops(model, with_vocabulary=False) / (6 * hoffmann_params(model))
        assert found == pytest.approx(ratio, abs=5e-7)
        assert found == pytest.approx(float(row["ratio_ours_over_6ND"]), abs=0.0055)


def test_appendix_f_as_printed_does_not_give_table_a4():
    model = dense(10, 640, 2560, 10)
    assert hoffmann_flops(model, with_vocabulary=True) / (6 * hoffmann_params(model)) == pytest.approx(1.58, abs=0.03)


def test_counts_of_table_a9_are_hoffmanns():
    table = [r for r in rows("scaling/chinchilla_tables/table_A9_models.csv") if _square(r)]
    assert len(table) > 30
    for row in table:
        model = dense(*(int(row[name]) for name in ("n_layers", "d_model", "ffw_size", "n_heads")))
        assert hoffmann_params(model) == pytest.approx(float(row["params"]), rel=0.015)


def _square(row):
    """Whether heads × head size is the width, as in all but a few rows."""
    return int(row["n_heads"]) * int(row["kv_size"]) == int(row["d_model"])


@given(layers=st.integers(1, 120), heads=st.integers(1, 128), sequence=st.integers(1, 1 << 17))
def test_deepseeks_scale_is_appendix_f_without_softmax_and_vocabulary(layers, heads, sequence):
    model = dense(layers, 128 * heads, 4 * 128 * heads, heads, sequence=sequence)
    softmax = 3 * 3 * layers * heads * sequence
    assert deepseek_flops(model) + softmax == pytest.approx(hoffmann_flops(model, with_vocabulary=False), rel=1e-12)


def test_the_misprinted_row_of_table_a3_is_named_and_no_other():
    table = rows("scaling/chinchilla_tables/table_A3_approach2_3.csv")
    params = column(table, "params")
    assert off_6nd(params, column(table, "tokens_a2"), column(table, "flops_a2")) == ()
    (odd,) = off_6nd(params, column(table, "tokens_a3"), column(table, "flops_a3"))
    assert params[odd.row] == 175e9
    assert odd.implied == pytest.approx(1.26e25)
    assert str(odd) == "states 1.26e+24 FLOPs, 10.0× below the 1.26e+25 of 6ND"
    first = rows("scaling/chinchilla_tables/table_3_approach1.csv")
    assert off_6nd(column(first, "params"), column(first, "tokens"), column(first, "flops")) == ()
