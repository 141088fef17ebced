"""Megatron-core's GPT with a loss that also holds the logits' normaliser near 1 (z-loss)."""

from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.models.gpt import GPTModel
from megatron.core.tensor_parallel.cross_entropy import VocabParallelCrossEntropy
from megatron.core.tensor_parallel.utils import VocabUtility


class Decoder(GPTModel):
    """A GPT that is trained on cross-entropy + ``z_loss`` · log²Z, and tells the cross-entropy."""

    z_loss = 0.0
    """Factor of log²Z, where Z is the sum of the exponentials of a token's logits (Chowdhery et al. 2022, §5)."""
    squared_log_z: torch.Tensor | None = None
    """log²Z of the last forward pass, ``[b, s/CP]``; none before the first, and without z-loss."""

    def compute_language_model_loss(self, labels: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Cross-entropy ``[b, s/CP]`` of ``labels`` of that shape, with ``logits`` of ``[s/CP, b, v/TP]``."""
        if not self.z_loss:
            return super().compute_language_model_loss(labels, logits)
        loss, log_z = CrossEntropyWithZLoss.apply(logits, labels.transpose(0, 1).contiguous(), self.z_loss)
        self.squared_log_z = log_z.square().transpose(0, 1)
        return loss.transpose(0, 1).contiguous()


class CrossEntropyWithZLoss(torch.autograd.Function):
    """Cross-entropy forwards; backwards the gradient of cross-entropy + factor · log²Z.

    What is recorded, watched and compared with other runs is cross-entropy, so it alone is the value. Both terms have
    one softmax, which Megatron's loss keeps anyway: nothing of the logits' size is kept or passed over a second time.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, target: torch.Tensor, factor: float) -> tuple[torch.Tensor, ...]:
        """Loss and log Z, both ``[s, b]``, of ``logits`` ``[s, b, v/TP]`` and ``target`` ``[s, b]``."""
        group = parallel_state.get_tensor_model_parallel_group()
        scores, largest = VocabParallelCrossEntropy.calculate_logits_max(logits)
        torch.distributed.all_reduce(largest, op=torch.distributed.ReduceOp.MAX, group=group)
        begin, end = VocabUtility.vocab_range_from_per_partition_vocab_size(scores.size(-1), group.rank(), group.size())
        elsewhere, place, right, total, exponentials = VocabParallelCrossEntropy.calculate_predicted_logits(
            scores, target, largest, begin, end
        )
        torch.distributed.all_reduce(right, group=group)
        torch.distributed.all_reduce(total, group=group)
        softmax, loss = VocabParallelCrossEntropy.calculate_cross_entropy_loss(exponentials, right, total)
        log_z = total.log_().add_(largest)
        ctx.factor = factor
        ctx.save_for_backward(softmax, elsewhere, place, log_z)
        ctx.mark_non_differentiable(log_z)
        return loss, log_z

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Of each logit: softmax · (1 + 2 · factor · log Z) - 1 where it is the target's, times the loss's gradient."""
        softmax, elsewhere, place, log_z = ctx.saved_tensors
        gradient = gradients[0]
        softmax.mul_((gradient * (1 + 2 * ctx.factor * log_z)).unsqueeze(-1))
        rows = softmax.view(-1, softmax.size(-1))
        rows[torch.arange(len(rows), device=rows.device), place] -= (gradient * ~elsewhere).reshape(-1)
        return softmax, None, None
