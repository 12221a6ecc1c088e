"""What a test set asks of whoever was fitted on a training set: which users, which items, and what has to stay out."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from edgewise.catalogue import Catalogue
from edgewise.data import Dataset
from edgewise.data.ids import UNKNOWN
from edgewise.data.wording import count
from edgewise.errors import DataError
from edgewise.types import Index


@dataclass(frozen=True)
class Targets:
    """The test set in the positions of the training set; the same for all models fitted on it.

    Attributes:
        user_index: int64 [n_users], the training position of each user to evaluate, ascending.
        relevant: [n_users, n_items], the test items that training knows and the user had not met in it.
        n_relevant: int64 [n_users], all distinct test items that the user had not met, known to training or not: nobody can
            find an unknown one, and it still counts.
        seen: [n_users, n_items], what each of these users met in training.
        item_counts: int64 [n_items], how many users met each item in training. n_training_users: how many met anything.
        n_new_users: test users that training does not know; they are for the fallback, not for this evaluation.
        n_repeating_users: known users who met in the test nothing but what they had met before; nothing to find.
        n_new_items: distinct test items that training does not know.
        n_test_users, n_test_pairs: how many users and distinct pairs the test has in all.
    """

    user_index: Index
    relevant: csr_array
    n_relevant: Index
    seen: csr_array
    item_counts: Index
    n_training_users: int
    n_new_users: int
    n_repeating_users: int
    n_new_items: int
    n_test_users: int
    n_test_pairs: int

    @property
    def n_users(self) -> int:
        """How many users are evaluated."""
        return self.user_index.size

    @property
    def n_items(self) -> int:
        """How many items the training catalogue has."""
        return int(self.relevant.shape[1])

    @cached_property
    def n_candidates(self) -> Index:
        """How many items each user neither met in training nor has to find: int64 [n_users]."""
        taken: Index = np.diff(self.seen.indptr) + np.diff(self.relevant.indptr).astype(np.int64)
        return self.n_items - taken

    def left_out(self) -> list[str]:
        """Say which users, pairs and items of the test are not measured, and why, a line each."""
        lines = []
        why = [
            f"{count(self.n_new_users, 'user')} unknown to the model, who would get what is popular",
            f"{count(self.n_repeating_users, 'user')} who met nothing new",
        ]
        told = [text for text, n in zip(why, (self.n_new_users, self.n_repeating_users), strict=True) if n]
        n_pairs = int(self.n_relevant.sum())
        if told:
            lines.append(f"left out: {', and '.join(told)}.")
        if n_pairs < self.n_test_pairs:
            lines.append(
                f"to be found: {n_pairs:,} of {count(self.n_test_pairs, 'pair')} of a user and an item; the others are of users "
                "left out, or known from training."
            )
        if self.n_new_items:
            are = "is" if self.n_new_items == 1 else "are"
            lines.append(
                f"{count(self.n_new_items, 'item')} of the test {are} unknown to the model: nobody can find them, and they count as missed."
            )
        return lines


def find_targets(catalogue: Catalogue, test: Dataset) -> Targets:
    """Match a test set with what the training set knows.

    Raises:
        IdTypeError: if the test ids are text where training has integers, or the reverse.
        DataError: if the test has no user to evaluate; the text says why.
    """
    asked = np.flatnonzero(np.diff(test.interactions.indptr))
    position = catalogue.users.index_of(test.users.ids_at(asked))
    items = catalogue.items.index_of(test.items.ids)
    met = np.unique(test.interactions.indices)
    n_new_users, n_new_items = int((position == UNKNOWN).sum()), int((items[met] == UNKNOWN).sum())
    known = position != UNKNOWN
    # Ids ascend on both sides, so positions do, and the rows stay in the order of the training set.
    user_index, wanted = position[known], test.interactions[asked[known]]
    seen = catalogue.seen[user_index]
    seen.sort_indices()
    relevant, n_unknown = _in_positions_of(items, wanted, len(catalogue.items))
    relevant = csr_array(relevant - relevant.multiply(seen.astype(np.bool_)))
    relevant.eliminate_zeros()
    relevant.sort_indices()
    n_relevant = np.diff(relevant.indptr).astype(np.int64) + n_unknown
    kept = np.flatnonzero(n_relevant)
    if not kept.size:
        raise DataError(_nobody_to_evaluate(asked.size, n_new_users))
    return Targets(
        user_index[kept],
        relevant[kept],
        n_relevant[kept],
        seen[kept],
        np.bincount(catalogue.seen.indices, minlength=len(catalogue.items)).astype(np.int64),
        int((np.diff(catalogue.seen.indptr) > 0).sum()),
        n_new_users,
        user_index.size - kept.size,
        n_new_items,
        asked.size,
        int(test.interactions.nnz),
    )


def _in_positions_of(items: Index, wanted: csr_array, n_items: int) -> tuple[csr_array, Index]:
    """Rename the columns, and count in each row those that have no new name."""
    row = np.repeat(np.arange(wanted.shape[0]), np.diff(wanted.indptr))
    column = items[wanted.indices]
    there = column != UNKNOWN
    ones = np.ones(int(there.sum()), dtype=np.float32)
    renamed = csr_array((ones, (row[there], column[there])), shape=(wanted.shape[0], n_items))
    return renamed, np.bincount(row[~there], minlength=wanted.shape[0])


def _nobody_to_evaluate(n_test_users: int, n_new_users: int) -> str:
    if n_new_users == n_test_users:
        return (
            f"none of the {n_test_users} users of the test set is known to the training set, so there is nobody to evaluate. "
            "Check that both files name users alike (case, leading zeros, the column itself), or split by time or at random "
            "instead of by user."
        )
    return (
        f"the {n_test_users - n_new_users} test users that the training set knows met nothing in the test that they had not met "
        f"before ({n_new_users} more are new), so there is nothing to find. Check that the test file is not part of the training file."
    )
