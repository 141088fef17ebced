"""Derivations of shape, vocabulary, FLOPs a token, precision, and layout, with their numbers."""

from sixnd.planner.architecture import ASPECT_SOURCE
from sixnd.planner.explanation import Facts, Step
from sixnd.planner.flop_conventions import CONVENTIONS
from sixnd.planner.layout_search import MEMORY_MARGIN
from sixnd.planner.model import summary
from sixnd.planner.model_flops import training_flops
from sixnd.planner.vocabulary import EMBEDDING_SHARE_TIED, VOCAB_RULE, padded, vocabulary_source
from sixnd.specs import catalog
from sixnd.specs.plan import LayoutOption

_CONVENTIONS = "conventions of Hoffmann et al. 2022 (appendix F, table A4), Kaplan et al. 2020, DeepSeek-AI 2024"
_PALM = "PaLM, appendix B (Chowdhery et al. 2022)"


def shape(facts: Facts) -> list[Step]:
    """Widths and depths, and the parameters they hold."""
    m, pinned = facts.model, facts.spec.model.shape is not None
    if facts.spec.model.family is not None:
        family = catalog.model_family(facts.spec.model.family)
        return [Step("architecture", family.description, summary(m.architecture), family.source)]
    source = "spec: model.shape" if pinned else ASPECT_SOURCE
    attention = 2 * m.hidden * (m.hidden + m.kv_width)
    ffn = 3 * m.hidden * m.ffn
    return [
        Step("hidden / layers", f"{m.hidden} / {m.layers}", m.hidden / m.layers, source),
        Step("head dimension", f"hidden / heads = {m.hidden} / {m.heads}", m.head_dim, source),
        Step(
            "FFN / hidden",
            f"{m.ffn} / {m.hidden}: 8/3, padded",
            m.ffn / m.hidden,
            "SwiGLU: Shazeer 2020, arXiv:2002.05202",
        ),
        Step(
            "attention of a layer",
            f"2h² + 2h·kv = 2·{m.hidden}² + 2·{m.hidden}·{m.kv_width}",
            attention,
            "",
            "parameters",
        ),
        Step("feed-forward of a layer", f"3·h·f = 3·{m.hidden}·{m.ffn}", ffn, "", "parameters"),
        Step("embeddings", f"{1 if m.tied else 2}·V·h", m.params - m.params_non_embedding, "", "parameters"),
        Step("N", "all layers, norms and embeddings", m.params, "counted by module", "parameters"),
    ]


def vocabulary(facts: Facts) -> list[Step]:
    """Entries and their padding."""
    planned, multiple = facts.plan.model, facts.drafter.multiple
    source = vocabulary_source(facts.spec)
    by = "by the rule" if source == VOCAB_RULE else source.partition(": ")[2]
    return [
        Step("entries", by, planned.vocab_size, source, "entries"),
        Step(
            "multiple",
            "so that every tensor-parallel rank holds as many rows",
            multiple,
            "rule: Megatron's padding",
            "rows",
        ),
        Step(
            "rows",
            f"⌈{planned.vocab_size:,} / {multiple:,}⌉ × {multiple:,}",
            padded(planned.vocab_size, multiple),
            "",
            "rows",
        ),
    ]


def tied(facts: Facts) -> list[Step]:
    """The share that two embeddings would have."""
    m = facts.model
    two = 2 * m.embedding_params
    share = two / (m.params_non_embedding + two)
    pinned = facts.spec.model.tied_embeddings is not None
    source = "spec: model.tied_embeddings" if pinned else f"rule: tie above {EMBEDDING_SHARE_TIED:.0%} of N"
    formula = f"2·V·h / (inner + 2·V·h) = {two:.5g} / {m.params_non_embedding + two:.5g}"
    return [
        Step("share of two embeddings", formula, share, "", "share"),
        Step("embeddings", f"{share:.1%} against {EMBEDDING_SHARE_TIED:.0%}", "tied" if m.tied else "untied", source),
    ]


def flops_per_token(facts: Facts) -> list[Step]:
    """Forward FLOPs by module, what the backward pass adds, and the ratio to 6N."""
    model = facts.model
    counted = training_flops(model.architecture, model.sequence, "causal", adapters=model.adapters)
    parts, total = counted.forward, counted.model
    formula = f"3 × {sum(parts.values()):.6g}: the backward pass costs twice"
    if model.adapters is not None:
        behind = sum(counted.backward.values())
        formula = f"{sum(parts.values()):.6g} + {behind:.6g}: frozen matrices have no gradient, scores and adapters do"
    return [
        *[Step(name, "forward, a token", value, _PALM, "FLOPs") for name, value in parts.items()],
        Step(
            "training FLOPs a token",
            formula,
            total,
            _PALM,
            "FLOPs",
        ),
        Step("over 6N", f"{total:.5g} / (6 × {facts.N:.5g})", total / (6.0 * facts.N), "", "times"),
        *[
            Step(
                f"as {name} counts",
                "a token, forward and backward",
                count(facts.model),
                _CONVENTIONS,
                "FLOPs",
            )
            for name, count in CONVENTIONS.items()
            if name not in ("exact", "6N") and facts.plan.model.architecture is None  # of dense decoders
        ],
    ]


def precision(facts: Facts) -> list[Step]:
    """Peaks by precision."""
    peaks = facts.machine.accelerator.peak_flops
    reason = next(each.reason for each in facts.plan.decisions if each.what == "training.precision")
    source = f"catalog: accelerators/{facts.spec.accelerators.name}"
    return [
        *[Step(f"peak in {name}", "dense", peak, source, "FLOP/s") for name, peak in peaks.items()],
        Step("precision", reason, facts.machine.precision, source),
    ]


def layout(facts: Facts) -> list[Step]:
    """The layouts considered: the chosen one, the next, and those that a rule or the memory refused."""
    room = facts.machine.planned.memory_bytes
    usable = Step(
        "usable memory",
        f"{room / 1e9:.4g} GB × (1 - {MEMORY_MARGIN:g})",
        room * (1 - MEMORY_MARGIN),
        "catalog",
        "bytes",
    )
    return [usable, *[_option(each) for each in facts.plan.options]]


def _option(each: LayoutOption) -> Step:
    memory = "" if each.memory_bytes is None else f", {each.memory_bytes / 1e9:.4g} GB"
    why = "chosen: fastest that fits" if each.chosen else each.why_not
    value = "not costed" if each.step_time_s is None else each.step_time_s
    unit = "" if each.step_time_s is None else "s a step"
    return Step(
        each.layout.label(), f"{why}{memory}", value, "step-time and memory models; rules of Megatron-core", unit
    )
