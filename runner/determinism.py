"""Kernels that give the same bits each time: what asks for them, of PyTorch, NCCL and Transformer Engine.

A CPU trains to the same bits without being asked. On GPUs atomics, split reductions and the choice of an all-reduce
reorder sums; what is set here is what Megatron-LM asks for with ``--deterministic-mode``
(``megatron/training/arguments.py``).
"""

from sixnd.specs.plan import Plan

VARIABLES = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS may else share workspaces between streams
    "NCCL_ALGO": "Ring",  # of those that reduce in one order, the one that every collective has
    "NVTE_ALLOW_NONDETERMINISTIC_ALGO": "0",
}


def determinism_variables(plan: Plan) -> dict[str, str]:
    """Environment of the training processes; empty on the CPU, and where the plan does not ask for it."""
    return dict(VARIABLES) if plan.training.deterministic and not plan.cluster.shared_host else {}


def keep_to_deterministic_kernels(plan: Plan) -> None:
    """Have PyTorch refuse, in this process, any operation that it has only a nondeterministic kernel for."""
    if plan.training.deterministic:
        import torch

        torch.use_deterministic_algorithms(True)
