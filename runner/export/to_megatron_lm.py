"""A plan as the command line of Megatron-LM's ``pretrain_gpt.py``."""

import shlex
from collections.abc import Iterator

from sixnd.runner.determinism import VARIABLES
from sixnd.runner.export.plan import Exported, blends, differences, refuse
from sixnd.runner.export.ramp import IN_ITERATIONS, in_samples, obstacles
from sixnd.runner.job import JobFolder
from sixnd.runner.schedule_names import COOLDOWNS, STYLES
from sixnd.specs.plan import Plan, PlannedLayout, PlannedTraining

Arguments = dict[str, str | list[str] | None]
"""Values by flag; none where the flag is a switch."""

_PER_NODE = 8
"""GPUs of a node at most, where nobody says otherwise."""
_HEADER = """#!/bin/sh
# Trains a plan of sixnd with Megatron-LM. Run it in a checkout of Megatron-LM, on each node; from another place than
# a single node, set NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT. What is given to it goes to pretrain_gpt.py.
"""


def megatron_lm(plan: Plan, folder: JobFolder | None) -> Exported:
    """The plan as a shell script."""
    refuse(plan, *obstacles(plan.training))
    notes = differences(plan, folder)
    remarks = "".join(f"# - {note}\n" for note in notes)
    start = f"{_exports(plan)}{_launch(plan)}{_lines(arguments(plan, folder))}"
    return Exported(f"{_HEADER}# Other than in the plan:\n{remarks}{start}", notes)


def arguments(plan: Plan, folder: JobFolder | None) -> Arguments:
    """Every argument, in groups."""
    parts = [_model(plan), _batch(plan), _optimizer(plan.training), _layout(plan.layout)]
    found = {flag: value for part in [*parts, _program(plan), _data(folder)] for flag, value in part.items()}
    if len(plan.training.batch_stages) < 2:
        return found
    return {flag: value for flag, value in found.items() if flag not in IN_ITERATIONS} | in_samples(plan)


def _exports(plan: Plan) -> str:
    """What Megatron-LM must find in its environment before it takes ``--deterministic-mode``."""
    named = VARIABLES if plan.training.deterministic else {}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in named.items())


def _launch(plan: Plan) -> str:
    ranks = plan.layout.world_size
    per_node = next(count for count in range(_PER_NODE, 0, -1) if ranks % count == 0)
    nodes = ranks // per_node
    return (
        f'exec torchrun --nproc-per-node "${{GPUS_PER_NODE:-{per_node}}}" --nnodes "${{NNODES:-{nodes}}}" '
        '--node-rank "${NODE_RANK:-0}" \\\n'
        '  --master-addr "${MASTER_ADDR:-localhost}" --master-port "${MASTER_PORT:-29500}" pretrain_gpt.py \\\n'
    )


def _lines(found: Arguments) -> str:
    return "".join(f"  {shlex.join(words)} \\\n" for words in _words(found)) + '  "$@"\n'


def _words(found: Arguments) -> Iterator[list[str]]:
    for flag, value in found.items():
        values = [] if value is None else value if isinstance(value, list) else [value]
        yield [flag, *values]


def _model(plan: Plan) -> Arguments:
    model, shape = plan.model, plan.model.shape
    found: Arguments = {
        "--num-layers": str(shape.layers),
        "--hidden-size": str(shape.hidden),
        "--ffn-hidden-size": str(shape.ffn),
        "--num-attention-heads": str(shape.heads),
        "--kv-channels": str(model.head_dim),
        "--seq-length": str(model.sequence_length),
        "--max-position-embeddings": str(model.sequence_length),
        "--position-embedding-type": "rope",
        "--rotary-base": "10000",
        "--normalization": "RMSNorm",
        "--norm-epsilon": "1e-05",
        "--swiglu": None,
        "--disable-bias-linear": None,
        "--attention-dropout": "0.0",
        "--hidden-dropout": "0.0",
        "--init-method-std": repr(plan.training.init_std),
        **_vocabulary(plan),
    }
    if shape.kv_heads != shape.heads:
        found |= {"--group-query-attention": None, "--num-query-groups": str(shape.kv_heads)}
    if not model.tied_embeddings:
        found["--untie-embeddings-and-output-weights"] = None
    return found


def _vocabulary(plan: Plan) -> Arguments:
    """The data hold ids, so no tokenizer is needed; the null tokenizer counts one entry more than it is told of."""
    return {
        "--tokenizer-type": "NullTokenizer",
        "--vocab-size": str(plan.model.vocab_size - 1),
        "--padded-vocab-size": str(plan.model.padded_vocab_size),
    }


def _batch(plan: Plan) -> Arguments:
    return {
        "--micro-batch-size": str(plan.layout.micro_batch),
        "--global-batch-size": str(plan.training.global_batch),
        "--train-iters": str(plan.training.steps),
        "--seed": str(plan.training.seed),
        "--eval-interval": str(plan.evaluation.every_steps),
        "--eval-iters": str(plan.evaluation.batches),
    }


def _optimizer(training: PlannedTraining) -> Arguments:
    found: Arguments = {
        "--optimizer": "adam",
        "--lr": repr(training.learning_rate),
        "--min-lr": repr(training.final_learning_rate),
        "--lr-warmup-iters": str(training.warmup_steps),
        "--lr-decay-iters": str(training.steps),
        "--lr-decay-style": STYLES[training.schedule],
        "--weight-decay": repr(training.weight_decay),
        "--adam-beta1": repr(training.adam_beta1),
        "--adam-beta2": repr(training.adam_beta2),
        "--adam-eps": repr(training.adam_eps),
        "--clip-grad": repr(training.clip_grad_norm),
        "--accumulate-allreduce-grads-in-fp32": None,
    }
    if training.schedule == "wsd":
        found |= {
            "--lr-wsd-decay-style": COOLDOWNS[training.cooldown],
            "--lr-wsd-decay-iters": str(training.decay_steps),
        }
    if training.precision == "bf16":
        found["--bf16"] = None
    if training.deterministic:
        found["--deterministic-mode"] = None
    return found


def _layout(layout: PlannedLayout) -> Arguments:
    found: Arguments = {
        "--tensor-model-parallel-size": str(layout.tensor),
        "--pipeline-model-parallel-size": str(layout.pipeline),
        "--context-parallel-size": str(layout.context),
        "--no-gradient-accumulation-fusion": None,
        "--overlap-grad-reduce": None,
        **_recompute(layout),
    }
    if layout.virtual_pipeline > 1:
        found["--num-virtual-stages-per-pipeline-rank"] = str(layout.virtual_pipeline)
    if layout.sequence_parallel:
        found["--sequence-parallel"] = None
    if layout.distributed_optimizer:
        found |= {"--use-distributed-optimizer": None, "--overlap-param-gather": None}
    if layout.embedding_as_layer:
        found |= {"--account-for-embedding-in-pipeline-split": None, "--account-for-loss-in-pipeline-split": None}
    return found


def _recompute(layout: PlannedLayout) -> Arguments:
    if layout.recompute == "none":
        return {}
    if layout.recompute == "selective":
        return {
            "--recompute-granularity": "selective",
            "--recompute-modules": [*(layout.recompute_modules or ["core_attn"])],
        }
    method = ("block", layout.recompute_layers) if layout.recompute_layers else ("uniform", 1)
    return {
        "--recompute-granularity": "full",
        "--recompute-method": method[0],
        "--recompute-num-layers": str(method[1]),
    }


def _program(plan: Plan) -> Arguments:
    return {
        "--save": "checkpoints",
        "--load": "checkpoints",
        "--save-interval": str(plan.checkpoints.every_steps),
        "--ckpt-format": "torch_dist",
        "--dist-ckpt-optim-fully-reshardable": None,
        "--log-interval": "1",
        "--log-throughput": None,
        "--exit-signal-handler": None,
        "--tensorboard-dir": "tensorboard",
    }


def _data(folder: JobFolder | None) -> Arguments:
    found: Arguments = {"--dataloader-type": "single", "--data-cache-path": "data-cache"}
    found["--no-create-attention-mask-in-dataloader"] = None
    if folder is not None:
        train, validation = blends(folder)
        found |= {"--train-data-path": train, "--valid-data-path": validation}
    return found
