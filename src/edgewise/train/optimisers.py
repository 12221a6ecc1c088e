"""Optimisers by name, for tables of embeddings and for other weights, and the length of a gradient."""

from collections.abc import Iterable

import torch
from torch.optim import SGD, Adagrad, Adam, Optimizer, SparseAdam

from edgewise.train.loop_config import LoopConfig


def embeddings_and_weights(
    net: torch.nn.Module,
) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """Return the parameters that are tables of embeddings, and all others."""
    tables = {id(module.weight) for module in net.modules() if isinstance(module, torch.nn.Embedding)}
    parameters = list(net.parameters())
    return [p for p in parameters if id(p) in tables], [p for p in parameters if id(p) not in tables]


def make_optimisers(net: torch.nn.Module, config: LoopConfig) -> list[Optimizer]:
    """Build what the settings name; the sparse variants take embeddings alone, their dense namesakes the rest.

    Adam: Kingma and Ba, ICLR 2015 (arXiv:1412.6980); its sparse variant moves the averages of a row only when the row is
    met. Adagrad: Duchi et al., JMLR 2011; SGD: with `momentum`, if any. Weight decay is applied by the loop.
    """
    name, rate = config.optimiser.removeprefix("sparse-"), config.highest_rate
    if not config.is_sparse:
        return [_dense(name, list(net.parameters()), rate, config.momentum)]
    tables, weights = embeddings_and_weights(net)
    sparse: Optimizer
    match name:
        case "adam":
            sparse = SparseAdam(tables, lr=rate)
        case "adagrad":
            sparse = Adagrad(tables, lr=rate)
        case _:
            sparse = SGD(tables, lr=rate)
    return [sparse, _dense(name, weights, rate, None)] if weights else [sparse]


def n_states(config: LoopConfig) -> int:
    """Return how many numbers the optimiser keeps for each weight."""
    match config.optimiser.removeprefix("sparse-"):
        case "adam":
            return 2
        case "adagrad":
            return 1
        case _:
            return 1 if config.momentum else 0


def clip_gradient(parameters: Iterable[torch.nn.Parameter], longest: float) -> None:
    """Shorten the gradient, all parameters together, to a Euclidean length of at most `longest`; sparse gradients too."""
    gradients = []
    for parameter in parameters:
        if parameter.grad is not None:
            if parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()
            gradients.append(parameter.grad.values() if parameter.grad.is_sparse else parameter.grad)
    length = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]))
    factor = (longest / (length + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor)


def _dense(name: str, parameters: list[torch.nn.Parameter], rate: float, momentum: float | None) -> Optimizer:
    match name:
        case "adam":
            return Adam(parameters, lr=rate, fused=True)
        case "adagrad":
            return Adagrad(parameters, lr=rate)
        case _:
            return SGD(parameters, lr=rate, momentum=momentum or 0.0)
