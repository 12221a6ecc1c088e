"""What recommenders with a learnt encoder share: features of users and items, the net, and placing newcomers by it."""
