"""What no single field can know: values that contradict each other. Each problem names both places."""

import itertools

from sixnd.specs import catalog
from sixnd.specs.anneal_checks import anneal_problems
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.continual_checks import continual_problems
from sixnd.specs.errors import Path, Problem
from sixnd.specs.mix_checks import mix_problems
from sixnd.specs.prepared_checks import prepared_problems
from sixnd.specs.ramp_checks import ramp_problems
from sixnd.specs.running_costs import Offer
from sixnd.specs.training_checks import training_problems

_TOLERANCE = 0.01  # two ways to say one budget may differ by rounding, not by more


def check_budget(spec: BudgetSpec) -> list[Problem]:
    """Every contradiction in a spec that can be told without planning it."""
    return [
        *_budget_given(spec),
        *_contract(spec),
        *_failures(spec),
        *_budget_agrees(spec),
        *_model_consistent(spec),
        *training_problems(spec.training),
        *_batch_holds_a_sequence(spec),
        *_layout_fits(spec),
        *_shape_divides(spec),
        *_sources(spec),
        *mix_problems(spec),
        *anneal_problems(spec),
        *continual_problems(spec),
        *ramp_problems(spec),
        *prepared_problems(spec),
        *_tokenizer_fits(spec),
        *_inference(spec),
    ]


def _batch_holds_a_sequence(spec: BudgetSpec) -> list[Problem]:
    batch, sequence = spec.training.global_batch, spec.model.sequence_length
    if batch is None or batch >= sequence:
        return []
    message = f"a batch of {batch:,.0f} tokens holds no sequence of {sequence:,}"
    do = f"give it in tokens: {batch:,.0f} sequences are {batch * sequence:,.0f} tokens"
    also = (("model", "sequence_length"),)
    return [Problem(("training", "global_batch"), message, do, also=also)]


def _tokenizer_fits(spec: BudgetSpec) -> list[Problem]:
    trained, entries = spec.data.tokenizer.trained, spec.model.vocab_size
    if trained is None or entries is None or entries == trained.vocab_size:
        return []
    message = f"vocab_size is {entries:,} here, and the tokenizer has {trained.vocab_size:,} entries"
    return [Problem(("model", "vocab_size"), message, "make it auto", also=(("data", "tokenizer", "file"),))]


def price_usd_per_hour(spec: BudgetSpec) -> float:
    """The spec's price of one accelerator-hour, or the catalog's."""
    pinned = spec.cluster.price_usd_per_accelerator_hour
    return offer(spec).usd_per_hour if pinned is None else pinned


def offer(spec: BudgetSpec) -> Offer:
    """The catalog's offer under the spec's contract; on demand where it has none, which ``check_budget`` reports."""
    price = catalog.accelerator(spec.accelerators.name).price
    return price.offer(spec.cluster.pricing) or price


def accelerator_hours_given(spec: BudgetSpec) -> dict[str, float]:
    """Accelerator-hours that each given currency but compute amounts to, by field name."""
    budget, price, result = spec.budget, price_usd_per_hour(spec), {}
    if budget.accelerator_hours is not None:
        result["accelerator_hours"] = budget.accelerator_hours
    if budget.time is not None:
        result["time"] = budget.time / 3600 * spec.accelerators_held
    if budget.money is not None and price > 0:
        result["money"] = budget.money / price
    return result


def _budget_given(spec: BudgetSpec) -> list[Problem]:
    budget = spec.budget
    if budget.money is not None and price_usd_per_hour(spec) <= 0:
        message, do = "a budget in money needs a price", "set cluster.price_usd_per_accelerator_hour"
        return [Problem(("budget", "money"), message, do, also=(("cluster",),))]
    given = (budget.compute, budget.accelerator_hours, budget.money, budget.time, budget.loss)
    if all(value is None for value in given):
        do = "give it as one of compute, accelerator_hours, money, time, or ask for a loss"
        return [Problem(("budget",), "the budget is empty", do)]
    if budget.compute is not None and budget.loss is not None:
        message = "compute and loss both decide how much is spent"
        return [Problem(("budget", "loss"), message, "keep one of them", also=(("budget", "compute"),))]
    return []


def _contract(spec: BudgetSpec) -> list[Problem]:
    """A price, and with spot a rate of interruptions, must be known from somewhere."""
    cluster, problems = spec.cluster, []
    accelerator, name = catalog.accelerator(spec.accelerators.name), spec.accelerators.name
    path: Path = ("cluster", "pricing")
    if cluster.price_usd_per_accelerator_hour is None and accelerator.price.offer(cluster.pricing) is None:
        message = f"the catalog has no {cluster.pricing} price of {name}"
        problems.append(Problem(path, message, "set cluster.price_usd_per_accelerator_hour, or leave pricing out"))
    known = accelerator.reliability is not None and accelerator.reliability.spot_hours_between_interruptions is not None
    if cluster.pricing == "spot" and cluster.goodput is None and not known:
        message = f"the catalog does not know how often spot {name} is interrupted"
        problems.append(Problem(path, message, "set cluster.goodput"))
    return problems


_FAILURES = ("failures_every", "restart_time", "spares", "replacement_time")


def _failures(spec: BudgetSpec) -> list[Problem]:
    """What is said of failures must count."""
    cluster, known = spec.cluster, catalog.accelerator(spec.accelerators.name).reliability is not None
    if known and cluster.goodput is None:
        return []
    why = "cluster.goodput is set" if known else f"the catalog knows no failures of {spec.accelerators.name}"
    given = [name for name in _FAILURES if getattr(cluster, name)]
    do = "leave one of them out" if known else "leave it out, or say what you know as cluster.goodput"
    return [Problem(("cluster", name), f"{name} changes nothing where {why}", do) for name in given]


def _budget_agrees(spec: BudgetSpec) -> list[Problem]:
    problems = []
    hours = accelerator_hours_given(spec)
    for (name, one), (other_name, other) in itertools.combinations(hours.items(), 2):
        if abs(one - other) > _TOLERANCE * max(one, other):
            message = (
                f"budget.{name} ({one:,.6g} accelerator-hours) and budget.{other_name} ({other:,.6g} "
                "accelerator-hours) disagree"
            )
            also: tuple[Path, ...] = (("budget", name), ("cluster",))
            problems.append(Problem(("budget", other_name), message, "keep one of them", also=also))
    return problems + _compute_is_possible(spec, hours)


def _compute_is_possible(spec: BudgetSpec, hours: dict[str, float]) -> list[Problem]:
    """Compute beside hours is settled by the planner's MFU; here only what exceeds the hardware's peak."""
    if spec.budget.compute is None or not hours:
        return []
    name, given = next(iter(hours.items()))
    accelerator = catalog.accelerator(spec.accelerators.name)
    ranks = spec.accelerators.count if accelerator.shared_host else 1
    possible = given * 3600 * max(accelerator.peak_flops.values()) / ranks
    if spec.budget.compute <= possible:
        return []
    message = (
        f"budget.compute ({spec.budget.compute:.4g} FLOPs) and budget.{name} ({given:,.6g} accelerator-hours) "
        f"disagree: that needs {spec.budget.compute / possible:.0%} of the peak of {spec.accelerators.name}"
    )
    do = f"keep one of them, or give at most {possible:.3g} FLOPs"
    return [Problem(("budget", "compute"), message, do, also=(("budget", name), ("cluster",)))]


def _model_consistent(spec: BudgetSpec) -> list[Problem]:
    problems = []
    model = spec.model
    deciding = model.decided_by
    if len(deciding) > 1:
        message = f"{' and '.join(deciding)} each decide the model"
        others: tuple[Path, ...] = tuple(("model", name) for name in deciding[1:])
        problems.append(Problem(("model", deciding[0]), message, "keep one of them", also=others))
    return problems


def _shape_divides(spec: BudgetSpec) -> list[Problem]:
    shape, problems = spec.model.shape, []
    if shape is None:
        return []

    def need(whole: str, part: str) -> None:
        total, divisor = getattr(shape, whole), getattr(shape, part)
        if total % divisor:
            message = f"{whole} ({total}) must be a multiple of {part} ({divisor})"
            path: Path = ("model", "shape", part)
            do = f"give a {whole} that is one, e.g. {total - total % divisor or divisor}, or another {part}"
            problems.append(Problem(path, message, do, also=(("model", "shape", whole),)))

    need("hidden", "heads")
    need("heads", "kv_heads")
    if shape.hidden % shape.heads == 0 and (shape.hidden // shape.heads) % 2:
        message = f"hidden / heads is {shape.hidden // shape.heads}; rotary positions need an even head dimension"
        do = "give half as many heads, or twice the hidden"
        problems.append(Problem(("model", "shape", "heads"), message, do, also=(("model", "shape", "hidden"),)))
    return problems


def _layout_fits(spec: BudgetSpec) -> list[Problem]:
    layout, count = spec.layout, spec.accelerators.count
    given = {name: getattr(layout, name) for name in ("tensor", "pipeline", "data")}
    pinned = {name: value for name, value in given.items() if value is not None}
    product = 1
    for value in pinned.values():
        product *= value
    words = " × ".join(f"{name} {value}" for name, value in pinned.items())
    also: tuple[Path, ...] = (*(("layout", name) for name in pinned), ("cluster", "accelerators"))
    path: Path = ("layout", next(iter(pinned), "tensor"))
    if len(pinned) == len(given) and product != count:
        message, do = f"{words} makes {product} ranks, but the cluster has {count}", "leave one of them to the planner"
        return [Problem(path, message, do, also=also)]
    if pinned and count % product:
        message = f"{words} = {product} does not divide the cluster's {count} ranks"
        return [Problem(path, message, f"give degrees whose product divides {count}", also=also)]
    return _layout_rules(spec)


def _layout_rules(spec: BudgetSpec) -> list[Problem]:
    layout, problems = spec.layout, []
    if layout.sequence_parallel and layout.tensor == 1:
        message = "sequence_parallel splits the sequence over the tensor-parallel ranks, and tensor is 1"
        do = "raise tensor, or leave sequence_parallel out"
        problems.append(Problem(("layout", "sequence_parallel"), message, do, also=(("layout", "tensor"),)))
    if (layout.virtual_pipeline or 1) > 1 and layout.pipeline == 1:
        message = "virtual_pipeline above 1 shrinks a pipeline's bubble, and pipeline 1 has none"
        do = "raise pipeline, or leave virtual_pipeline out"
        problems.append(Problem(("layout", "virtual_pipeline"), message, do, also=(("layout", "pipeline"),)))
    return problems


def _sources(spec: BudgetSpec) -> list[Problem]:
    problems, seen = [], dict[str, int]()
    for i, source in enumerate(spec.data.sources):
        if source.recipe and source.path:
            message = f"source '{source.name}' has both a recipe and a path"
            problems.append(Problem(("data", "sources", i, "recipe"), message, "keep one of them"))
        if source.name in seen:
            message = f"two sources are named '{source.name}' (the other is number {seen[source.name] + 1})"
            problems.append(Problem(("data", "sources", i, "name"), message, "give one of them another name"))
        seen.setdefault(source.name, i)
    return problems


def _inference(spec: BudgetSpec) -> list[Problem]:
    served = spec.inference
    if served is None or served.input_tokens is not None or served.output_tokens is not None:
        return []
    return [Problem(("inference",), "how much will be served is not said", "give input_tokens, output_tokens, or both")]
