"""Tiny data sets with planted tastes and the suite that every recommender passes; usable by models that live elsewhere."""
