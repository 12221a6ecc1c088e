"""Measuring recommenders: metrics on arrays, full ranking, intervals and significance. Knows no model."""
