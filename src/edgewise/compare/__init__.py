"""One engine for every comparison: fit the contenders, measure them, test whether the differences are luck."""
