"""C = 6ND, the counting of compute that most budgets use; exact FLOPs are ``model_flops``'s."""


def flops_6nd(params: float, tokens: float) -> float:
    """The convention C = 6ND (Kaplan et al. 2020, §2.1; Hoffmann et al. 2022); of experts, N is what a token passes."""
    return 6.0 * params * tokens
