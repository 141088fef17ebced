"""A Llama-like model and its training loop on torch alone, written as one would by hand, without a framework.

What ``training_speed`` holds the runner's step against. Same shapes, batch, precision and optimizer; fused attention,
fused AdamW, projections of the same input in one product.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sixnd.specs.load import load_plan
from sixnd.specs.plan import Plan


class Layer(nn.Module):
    """Attention and SwiGLU, each behind a norm and added to the residual stream ``[b, s, hidden]``."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        shape, width = plan.model.shape, plan.model.head_dim
        self.heads, self.kv_heads, self.width = shape.heads, shape.kv_heads, width
        self.norm, self.mlp_norm = nn.RMSNorm(shape.hidden, eps=1e-5), nn.RMSNorm(shape.hidden, eps=1e-5)
        self.qkv = nn.Linear(shape.hidden, (shape.heads + 2 * shape.kv_heads) * width, bias=False)
        self.out = nn.Linear(shape.heads * width, shape.hidden, bias=False)
        self.up = nn.Linear(shape.hidden, 2 * shape.ffn, bias=False)
        self.down = nn.Linear(shape.ffn, shape.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """``cos`` and ``sin`` are ``[s, head_dim]``."""
        x = x + self._attention(self.norm(x), cos, sin)
        gate, value = self.up(self.mlp_norm(x)).chunk(2, dim=-1)
        return x + self.down(functional.silu(gate) * value)

    def _attention(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = x.shape
        split = [self.heads * self.width, self.kv_heads * self.width, self.kv_heads * self.width]
        query, key, value = (
            part.view(batch, length, -1, self.width).transpose(1, 2) for part in self.qkv(x).split(split, dim=-1)
        )
        query, key = _rotated(query, cos, sin), _rotated(key, cos, sin)
        grouped = self.heads != self.kv_heads
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, -1))


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Llama(nn.Module):
    """The plan's model: tokens ``[b, s]`` in, mean loss over labels ``[b, s]`` out."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        hidden, vocabulary = plan.model.shape.hidden, plan.model.padded_vocab_size
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.layers = nn.ModuleList(Layer(plan) for _ in range(plan.model.shape.layers))
        self.norm = nn.RMSNorm(hidden, eps=1e-5)
        self.head = nn.Linear(hidden, vocabulary, bias=False)
        if plan.model.tied_embeddings:
            self.head.weight = self.embedding.weight
        cos, sin = _rotations(plan.model.sequence_length, plan.model.head_dim)
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)
        for weights in self.parameters():
            if weights.dim() > 1:
                nn.init.normal_(weights, std=plan.training.init_std)

    def forward(self, tokens: Tensor, labels: Tensor) -> Tensor:
        """Mean loss."""
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return functional.cross_entropy(self.head(self.norm(x)).float().flatten(0, 1), labels.flatten())


def _rotations(length: int, width: int) -> tuple[Tensor, Tensor]:
    frequencies = 10_000 ** -(torch.arange(0, width, 2) / width)
    angles = torch.outer(torch.arange(length), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def optimizer_of(model: Llama, plan: Plan) -> torch.optim.AdamW:
    """Fused AdamW; vectors are not decayed."""
    training = plan.training
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": training.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    betas = (training.adam_beta1, training.adam_beta2)
    return torch.optim.AdamW(groups, lr=training.learning_rate, betas=betas, eps=training.adam_eps, fused=True)


def batches(tokens: np.ndarray, plan: Plan) -> Iterator[tuple[Tensor, Tensor]]:
    """Micro-batches of windows at random places of the tokens, without end."""
    length, generator = plan.model.sequence_length, torch.Generator().manual_seed(plan.training.seed)
    while True:
        starts = torch.randint(len(tokens) - length - 1, (plan.layout.micro_batch,), generator=generator).tolist()
        windows = torch.from_numpy(np.stack([tokens[at : at + length + 1].astype(np.int64) for at in starts]))
        yield windows[:, :-1].contiguous(), windows[:, 1:].contiguous()


def train_step(
    model: Llama, optimizer: torch.optim.AdamW, data: Iterator[tuple[Tensor, Tensor]], plan: Plan
) -> tuple[float, float]:
    """One optimizer step on one global batch; its loss and gradient norm."""
    micro_batches = plan.training.global_batch // plan.layout.micro_batch
    losses = []
    for _ in range(micro_batches):
        tokens, labels = next(data)
        loss = model(tokens, labels) / micro_batches
        loss.backward()
        losses.append(loss.detach())
    norm = nn.utils.clip_grad_norm_(model.parameters(), plan.training.clip_grad_norm, foreach=True)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(torch.stack(losses).sum()), float(norm)


def main() -> None:
    """Train on the plan and the tokens (uint16) of the command line, by turns."""
    from tests.benchmarks.turns import Turn

    plan, threads = load_plan(Path(sys.argv[1])), int(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(plan.training.seed)
    data = batches(np.memmap(sys.argv[2], dtype=np.uint16, mode="r"), plan)
    model = Llama(plan).to(torch.bfloat16 if plan.training.precision == "bf16" else torch.float32)
    optimizer, turn = optimizer_of(model, plan), Turn()
    while turn.step_begins():
        train_step(model, optimizer, data, plan)


if __name__ == "__main__":
    main()
