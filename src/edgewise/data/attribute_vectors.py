"""Attributes as directions: how alike two rows of a table are is the cosine of what `attribute_vectors` makes of them."""

import numpy as np
from scipy.sparse import csr_array, hstack

from edgewise.data.feature_columns import unit_rows
from edgewise.data.features import FeatureMatrix
from edgewise.errors import ConfigError
from edgewise.types import Bools, Index

_NUMBER_COUNTS = 0.01
"""What a column of numbers or times counts, where one of words counts 10 to 50: enough to order what is else alike.

Counting as much as a column of categories, the twelve numeric columns of goodbooks-10k (counts of ratings, mostly) cost
most of the accuracy that titles and authors bring.
"""


def attribute_vectors(
    matrix: FeatureMatrix, met: Index, weights: dict[str, float], *, known: FeatureMatrix | None = None
) -> csr_array:
    """Scale each column's features to length 1 times the root of what the column counts, then each row to length 1.

    What two rows share tells the more the rarer it is, within a column and between columns. So a column of words or
    categories counts as the square of its mean rarity, as it does in TF-IDF, where rarity enters on both sides.

    Args:
        matrix: the features of all items, or users.
        met: the rows that training met, on which rarity is measured.
        weights: further factors, by column.
        known: where `matrix` holds newcomers, the features of those whom `met` counts.

    Returns:
        float32 [n, n_features], rows of length 1, or 0 where no attribute is known; a dot product is a cosine.

    Raises:
        ConfigError: if `weights` names a column that is not in use.
    """
    columns = {block.column for block in matrix.blocks}
    if unknown := set(weights) - columns:
        raise ConfigError(
            f"column_weights names {', '.join(sorted(map(repr, unknown)))}; the columns in use are {', '.join(sorted(columns))}."
        )
    of_training = (matrix if known is None else known).x[met]
    parts: list[csr_array] = []
    for block in matrix.blocks:
        part = csr_array(matrix.x[:, block.start : block.stop])
        counts = _NUMBER_COUNTS
        if block.kind == "numeric":
            part = _on_a_quarter_circle(part, ~matrix.missing[block.column])
        elif block.kind != "time" and (there := of_training[:, block.start : block.stop].indices).size:
            rows_with = np.bincount(there, minlength=part.shape[1])
            rarity = np.log((1 + met.size) / (1 + rows_with)) + 1
            counts = float(rarity[there].mean()) ** 2
            if block.kind == "multi-hot":
                part.data = (part.data * rarity[part.indices]).astype(np.float32)
        parts.append(unit_rows(part) * np.float32(np.sqrt(counts * weights.get(block.column, 1.0))))
    vectors = csr_array(hstack(parts, format="csr"))
    vectors.eliminate_zeros()
    return unit_rows(vectors)


def _on_a_quarter_circle(numbers: csr_array, known: Bools) -> csr_array:
    """Turn scaled numbers [n, 1] into directions [n, 2]: equal numbers have cosine 1, the farthest apart 0.

    A number alone has no direction but its sign; as an angle between 0 and 90 degrees, near numbers are alike. A number
    that is not known has no direction: two gaps are not alike.
    """
    angle = (np.pi / 4) * (1 + np.tanh(numbers[:, [0]].toarray()[:, 0]))
    return csr_array((np.column_stack([np.cos(angle), np.sin(angle)]) * known[:, None]).astype(np.float32))
