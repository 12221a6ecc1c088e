"""A linear map of sparse features: bags of words, one-hot attributes, ids."""

import math
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import linear

from edgewise.errors import DataError
from edgewise.graph.spmm import spmm
from edgewise.nn.edge_kernels import transpose
from edgewise.types import Floats, Index


class SparseRows:
    """Fixed sparse features, float32 [n, f], with what the gradient of a product needs: their transposed, computed once.

    Args:
        matrix: [n, f]; not modified.
    """

    def __init__(self, matrix: csr_array) -> None:
        self.matrix = csr_array(matrix, dtype=np.float32)
        self._transposed: tuple[Index, Any, Index] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Return [n, f]."""
        n, f = self.matrix.shape
        return n, f

    def dropout(self, rate: float, *, training: bool) -> "SparseRows":
        """Zero each number with probability `rate` and scale the others up, drawn by torch's generator; zeros stay zero."""
        if not training or not rate:
            return self
        kept = (torch.rand(self.matrix.nnz) >= rate).numpy()
        data = self.matrix.data * (kept * np.float32(1 / (1 - rate)))
        thinned = SparseRows.__new__(SparseRows)
        thinned.matrix = csr_array((data, self.matrix.indices, self.matrix.indptr), shape=self.matrix.shape)
        thinned._transposed = self._structure()
        return thinned

    def first(self, n: int) -> "SparseRows":
        """Return the first n rows."""
        return self if n == self.shape[0] else SparseRows(self.matrix[:n])

    def dense(self) -> Tensor:
        """Return the same numbers, float32 [n, f], zeros and all."""
        return torch.from_numpy(self.matrix.toarray())

    def product_of_transposed(self, dense: Floats) -> Floats:
        """Multiply the transposed by [n, d]: float32 [f, d]."""
        indptr, rows, place = self._structure()
        n, f = self.shape
        return spmm(csr_array((self.matrix.data[place], rows, indptr), shape=(f, n)), dense)

    def _structure(self) -> tuple[Index, Any, Index]:
        if self._transposed is None:
            indptr = self.matrix.indptr.astype(np.int64, copy=False)
            self._transposed = transpose(indptr, self.matrix.indices.astype(np.int32, copy=False), self.shape[1])
        return self._transposed


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: SparseRows, weight: Tensor) -> Tensor:
        context.x = x
        return torch.from_numpy(spmm(x.matrix, weight.detach().contiguous().numpy()))

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[None, Tensor]:
        return None, torch.from_numpy(context.x.product_of_transposed(gradients[0].contiguous().numpy()))


class SparseLinear(torch.nn.Module):
    """x W + b, for sparse features that are fixed and for dense ones alike; it learns W and b.

    Differs from torch.nn.Linear: the weight is [in_features, out_features], since rows are what a sparse product reads;
    Glorot and Bengio's start (AISTATS 2010), and zeros for b.
    """

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(in_features, out_features))
        self.bias = torch.nn.Parameter(torch.zeros(out_features)) if bias else None
        bound = math.sqrt(6 / max(1, in_features + out_features))
        torch.nn.init.uniform_(self.weight, -bound, bound)
        self._last: tuple[csr_array, SparseRows] | None = None

    def forward(self, x: csr_array | SparseRows | Tensor) -> Tensor:
        """Map [n, in_features] to float32 [n, out_features].

        Raises:
            DataError: if the number of columns differs.
        """
        if x.shape[1] != self.weight.shape[0]:
            raise DataError(f"features are {list(x.shape)}; expected {self.weight.shape[0]} columns.")
        if isinstance(x, Tensor):
            return linear(x, self.weight.T, self.bias)
        if not isinstance(x, SparseRows):
            if self._last is None or self._last[0] is not x:
                self._last = (x, SparseRows(x))
            x = self._last[1]
        product: Tensor = _Product.apply(x, self.weight)  # type: ignore[no-untyped-call]
        return product if self.bias is None else product + self.bias
