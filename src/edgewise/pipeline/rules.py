"""Business rules: expressions over the columns of the item table that say which items may be shown.

    price < 20 and "Comedy" in genres and not (brand == "ACME" or stock == 0)

An expression is parsed, checked against a short list of what may stand in it, and turned into a Polars expression; nothing is
evaluated as code.
"""

import ast
from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np
import polars as pl

from edgewise.errors import ConfigError
from edgewise.types import Bools

MAX_LENGTH = 2_000
"""Characters of one rule."""

MAX_PARTS = 500
"""Names, values, comparisons and so on in one rule: far more than people write, and few enough to go through nested."""

SEPARATOR = "|"
"""What stands between the values of a column of text that holds several: `"Comedy" in genres` is true of "Comedy|Drama"."""

_ALLOWED = (
    "comparisons (== != < <= > >=), in and not in, and, or, not, parentheses, names of columns, numbers, true and false, texts in quotes "
    "and lists of these"
)


def rule_mask(rule: str, items: pl.DataFrame) -> Bools:
    """Tell which items a rule lets through: bool [n_items].

    Where a value is missing, a comparison is neither true nor false, and the item is let through only if the rest of the rule
    does not depend on it.

    Args:
        rule: such as `price < 20 and "Comedy" in genres`.
        items: a row an item.

    Raises:
        ConfigError: if the rule cannot be read, names a column that is not there, or compares what cannot be compared.
    """
    expression = parse_rule(rule, items.schema)
    try:
        mask = items.select(expression.fill_null(value=False).alias("mask"))["mask"]
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"the rule {rule!r} cannot be applied to the items: {str(error).splitlines()[0]}") from None
    if len(mask) != items.height:  # a rule without a column
        return np.full(items.height, bool(mask[0]))
    found: Bools = mask.to_numpy().astype(np.bool_)
    return found


def parse_rule(rule: str, schema: pl.Schema) -> pl.Expr:
    """Turn a rule into a Polars expression of type Boolean.

    Raises:
        ConfigError: as `rule_mask`.
    """
    if len(rule) > MAX_LENGTH:
        raise ConfigError(f"a rule of {len(rule):,} characters: expected at most {MAX_LENGTH:,}.")
    try:
        tree = ast.parse(rule.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConfigError(
            f"the rule {rule[:200]!r} cannot be read; expected something such as price < 20 and 'Comedy' in genres."
        ) from None
    if (n_parts := sum(1 for _ in ast.walk(tree))) > MAX_PARTS:
        raise ConfigError(f"a rule of {n_parts:,} parts: expected at most {MAX_PARTS:,}.")
    return _condition(tree.body, rule, schema)


def holds(column: str, dtype: pl.DataType, value: str) -> pl.Expr:
    """Return whether a column has a value, among others where a cell holds several."""
    if isinstance(dtype, pl.List):
        return pl.col(column).cast(pl.List(pl.String)).list.contains(value)
    if dtype == pl.String:
        return pl.col(column).str.split(SEPARATOR).list.contains(value)
    return pl.col(column).cast(pl.String) == value


def _condition(node: ast.expr, rule: str, schema: pl.Schema) -> pl.Expr:
    match node:
        case ast.BoolOp(op=op, values=values):
            parts = [_condition(value, rule, schema) for value in values]
            return reduce(and_ if isinstance(op, ast.And) else or_, parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_condition(operand, rule, schema)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            ends = [left, *comparators]
            return reduce(
                and_, [_comparison(a, op, b, rule, schema) for a, op, b in zip(ends, ops, ends[1:], strict=False)]
            )
        case ast.Name(id=name) if schema.get(_known(name, rule, schema)) == pl.Boolean:
            return pl.col(name)
        case ast.Constant(value=bool(value)):
            return pl.lit(value)
    raise _refused(node, rule)


def _comparison(left: ast.expr, op: ast.cmpop, right: ast.expr, rule: str, schema: pl.Schema) -> pl.Expr:
    if isinstance(op, ast.In | ast.NotIn):
        found = _membership(left, right, rule, schema)
        return ~found if isinstance(op, ast.NotIn) else found
    a, b = _value(left, rule, schema), _value(right, rule, schema)
    kinds = {_kind(left, schema), _kind(right, schema)}
    if len(kinds) > 1:
        raise ConfigError(f"the rule {rule!r} compares {' with '.join(sorted(kinds))}; {_described(schema)}")
    match op:
        case ast.Eq():
            return a == b
        case ast.NotEq():
            return a != b
        case ast.Lt():
            return a < b
        case ast.LtE():
            return a <= b
        case ast.Gt():
            return a > b
        case ast.GtE():
            return a >= b
    raise _refused(op, rule)


def _membership(left: ast.expr, right: ast.expr, rule: str, schema: pl.Schema) -> pl.Expr:
    """`value in column` of several values, or `column in [values]`."""
    match left, right:
        case ast.Constant(value=value), ast.Name(id=name):
            dtype = schema[_known(name, rule, schema)]
            if isinstance(dtype, pl.List) or dtype == pl.String:
                return holds(name, dtype, str(value))
            raise ConfigError(
                f"the rule {rule!r} looks for {value!r} in {name}, which holds one value an item; use {name} == {value!r}."
            )
        case ast.Name(id=name), ast.List(elts=elements) | ast.Tuple(elts=elements):
            _known(name, rule, schema)
            values = [_constant(element, rule) for element in elements]
            if any(_kind_of(value) != _kind(left, schema) for value in values):
                raise ConfigError(f"the rule {rule!r} looks for {name} among {values}; {_described(schema)}")
            return reduce(or_, [pl.col(name) == value for value in values], pl.lit(value=False))
    raise _refused(right, rule)


def _value(node: ast.expr, rule: str, schema: pl.Schema) -> pl.Expr:
    if isinstance(node, ast.Name):
        return pl.col(_known(node.id, rule, schema))
    return pl.lit(_constant(node, rule))


def _constant(node: ast.expr, rule: str) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    raise _refused(node, rule)


def _known(name: str, rule: str, schema: pl.Schema) -> str:
    if name not in schema:
        raise ConfigError(f"the rule {rule!r} names {name}, which the items do not have; {_described(schema)}")
    return name


def _kind(node: ast.expr, schema: pl.Schema) -> str:
    if not isinstance(node, ast.Name):
        return _kind_of(_constant(node, ""))
    dtype = schema[node.id]
    if dtype == pl.Boolean:
        return "a yes or no"
    return (
        "a number"
        if dtype.is_numeric()
        else "a text"
        if dtype == pl.String
        else "several values"
        if isinstance(dtype, pl.List)
        else "a time"
    )


def _kind_of(value: Any) -> str:
    return "a yes or no" if isinstance(value, bool) else "a text" if isinstance(value, str) else "a number"


def _described(schema: pl.Schema) -> str:
    return f"the columns are {', '.join(f'{name} ({dtype})' for name, dtype in schema.items())}."


def _refused(node: ast.AST, rule: str) -> ConfigError:
    what = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__.lower()
    return ConfigError(f"the rule {rule!r} has {what!r}, which a rule cannot have; allowed are {_ALLOWED}.")
