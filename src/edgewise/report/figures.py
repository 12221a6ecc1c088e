"""Numbers as people read them. What is not a number is a dash."""

import math
import re

from edgewise.data import wording
from edgewise.report.html import Both

DASH = "–"

NBSP = "\N{NO-BREAK SPACE}"

MINUS = "\N{MINUS SIGN}"


def metric(value: float, digits: int = 4) -> str:
    """Write a metric: 0.1584.

    Example:
        >>> metric(0.15838), metric(float("nan")), metric(-0.0021, 3), metric(12.34567)
        ('0.1584', '–', '−0.002', '12.35')
    """
    if not math.isfinite(value):
        return DASH
    digits = digits if abs(value) < 1 else max(digits - 2, 1) if abs(value) < 100 else 0
    return f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 4) -> str:
    """Write a difference with its sign: +0.0021.

    Example:
        >>> signed(0.0021), signed(-0.5, 2), signed(0.0)
        ('+0.0021', '−0.50', '0.0000')
    """
    text = metric(value, digits)
    return f"+{text}" if math.isfinite(value) and value > 0 else text


def count(value: float) -> str:
    """Write a number of things: 100,004.

    Example:
        >>> count(100004), count(float("nan"))
        ('100,004', '–')
    """
    return f"{value:,.0f}" if math.isfinite(value) else DASH


def counted(number: int, noun: str) -> Both:
    """Write a number with its noun, which Chinese texts have themselves.

    Example:
        >>> counted(1, "pair").en, counted(3, "pair").en, counted(3, "pair").zh
        ('1 pair', '3 pairs', '3')
    """
    return Both(wording.count(number, noun), count(number))


def thousands(digits: str) -> str:
    """Group the digits of every number in a text.

    Example:
        >>> thousands("1204–20000")
        '1,204–20,000'
    """
    return re.sub(r"\d+", lambda number: f"{int(number[0]):,}", digits)


def short_count(value: float) -> str:
    """Write a number of things in little room: 1.2M.

    Example:
        >>> [short_count(n) for n in (7, 1500, 20_000, 1_234_567)]
        ['7', '1.5k', '20k', '1.2M']
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.1f}".removesuffix(".0") + unit
    return f"{value:.10g}"


def percent(share: float) -> str:
    """Write a share in percent with two significant digits.

    Example:
        >>> [percent(x) for x in (0.0812, 0.42, 0.0004, 1.5, float("nan"))]
        ['8.1%', '42%', '0.04%', '150%', '–']
    """
    if not math.isfinite(share):
        return DASH
    value = 100 * share
    if 0 < abs(value) < 1e-4:
        return "< 0.0001%"
    return f"{value:.0f}%".replace("-", MINUS) if abs(value) >= 9.95 else f"{value:.2g}%".replace("-", MINUS)


def seconds(value: float) -> str:
    """Write a duration: 0.4 s, 12 s, 3 min 20 s, 1 h 5 min.

    Example:
        >>> [seconds(x) for x in (0.004, 0.41, 12.3, 200, 3900, float("nan"))]
        ['< 0.01 s', '0.41 s', '12 s', '3 min 20 s', '1 h 5 min', '–']
    """
    if not math.isfinite(value):
        return DASH
    if value < 0.01:
        return "< 0.01 s"
    if value < 9.95:
        return f"{value:.2g} s"
    if value < 59.5:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def megabytes(value: float) -> str:
    """Write an amount of memory given in MB of 10^6 bytes.

    Example:
        >>> megabytes(312.4), megabytes(2410.0), megabytes(float("nan"))
        ('312 MB', '2.4 GB', '–')
    """
    if not math.isfinite(value):
        return DASH
    return f"{value / 1000:.1f} GB" if value >= 1000 else f"{value:.0f} MB"


def p_value(value: float) -> str:
    r"""Write a p-value with its sign, since very small ones are only bounded.

    Example:
        >>> p_value(0.2134), p_value(0.0312), p_value(0.0), p_value(0.9999)
        ('=\xa00.21', '=\xa00.031', '<\xa00.001', '=\xa01.00')
    """
    if not math.isfinite(value):
        return f"={NBSP}{DASH}"
    if value < 0.001:
        return f"<{NBSP}0.001"
    return f"={NBSP}{value:.3f}" if value < 0.1 else f"={NBSP}{value:.2f}"


def times(ratio: float) -> str:
    """Write how many times as much: 1.4, 2.1, 12.

    Example:
        >>> times(2.06), times(1.0), times(12.4)
        ('2.1', '1.0', '12')
    """
    return f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.1f}"
