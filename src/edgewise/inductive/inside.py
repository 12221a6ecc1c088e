"""A look inside the encoding of one new node: gradients by what its neighbours send, and the attention paid to them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.sparse import csr_array, hstack
from torch import Tensor

from edgewise.inductive.net import GraphNet
from edgewise.nn.convolutions import GATConv, TransformerConv
from edgewise.nn.edges import Edges
from edgewise.types import Floats, Index


def edges_of_newcomers(hears: csr_array, degrees: Index) -> Edges:
    """Return the edges to new nodes: senders are the new nodes, then the others.

    Args:
        hears: float32 [n, n_others], whom each new node hears from.
        degrees: [n_others], how many edges the others have.
    """
    n = hears.shape[0]
    whole = csr_array(hstack([csr_array((n, n), dtype=np.float32), hears], format="csr"))
    sender_degree = np.concatenate([np.diff(hears.indptr) + 1, degrees + 1]).astype(np.float32)
    return Edges(whole.indptr, whole.indices, whole.shape[1], weight=whole.data, sender_degree=sender_degree)


def split_layers(net: GraphNet, layers: Tensor) -> list[Tensor]:
    """Part what goes into all layers, side by side [n, …], into that of each layer."""
    widths = [net.embedding_dim] + [net.encoder.config.hidden_dim] * (len(net.encoder.convs) - 1)
    return [part.contiguous() for part in torch.split(layers, widths, dim=1)]


def attends(net: GraphNet) -> bool:
    """Tell whether the layers weigh neighbours by attention."""
    return all(isinstance(conv, GATConv | TransformerConv) for conv in net.encoder.convs)


def attention(net: GraphNet, own: Tensor, theirs: Sequence[Tensor], edges: Edges) -> Floats:
    """Return the share of its attention that one new node gives to each neighbour, mean of heads and layers: float32 [n_neighbours].

    Args:
        net: whose layers attend. own: [1, d]. theirs: for each layer, [n_neighbours, d_layer].
        edges: from `edges_of_newcomers`.
    """
    given, total = own, np.zeros(theirs[0].shape[0], dtype=np.float32)
    with torch.no_grad():
        for number, at_others in enumerate(theirs):
            senders = torch.cat([given, at_others])
            conv = net.encoder.convs[number]
            assert isinstance(conv, GATConv | TransformerConv)
            looped, shares = conv.attention(senders, edges)
            neighbour = looped.indices - 1  # sender 0 is the node itself
            total[neighbour[neighbour >= 0]] += shares.mean(1).numpy()[neighbour >= 0]
            given = net.encoder.layer(number, senders, edges)
    total /= len(theirs)
    return total


def gradients(
    net: GraphNet,
    own: Tensor,
    theirs: Sequence[Tensor],
    edges: Edges,
    items: Tensor,
    scaled: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """Take the gradient of one new node's scores.

    Simonyan et al., "Deep Inside Convolutional Networks", ICLR 2014 (arXiv:1312.6034); times the input, Shrikumar et al.,
    "Not Just a Black Box", 2016 (arXiv:1605.01713). For a map without bends, the products add up to the score.

    Args:
        net, own, theirs, edges: as for `attention`.
        items: [n_items, d], the vectors of the items in question.
        scaled: what is done to the node's vector before it meets these.

    Returns:
        The gradient by what each neighbour sends times that, summed over layers: [n_neighbours, n_items]; and the gradient by
        the node's own x: [d, n_items].
    """
    own = own.clone().requires_grad_()
    sent = [part.clone().requires_grad_() for part in theirs]
    scores = items @ scaled(net.vectors_of_newcomers(own, sent, edges))[0]
    of_neighbours, of_own = [], []
    for score in scores:
        by_own, *by_sent = torch.autograd.grad(score, [own, *sent], retain_graph=True, materialize_grads=True)
        of_own.append(by_own[0])
        products = [(by * part.detach()).sum(1) for by, part in zip(by_sent, sent, strict=True)]
        of_neighbours.append(torch.stack(products).sum(0))
    return torch.stack(of_neighbours, 1), torch.stack(of_own, 1)
