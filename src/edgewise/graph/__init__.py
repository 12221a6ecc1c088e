"""From a data set to CSR graphs: two-sided, item-item and user-user, scaled, cut down to a neighbourhood."""
