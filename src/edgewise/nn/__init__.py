"""Nets over graphs: edges, convolutions, encoders and heads; they know nodes, and neither users nor items."""
