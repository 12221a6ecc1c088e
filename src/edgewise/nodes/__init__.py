"""Tasks on the nodes of a graph: reading, training and measuring node classification and regression."""
