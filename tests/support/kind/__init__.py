"""A real cluster: kind, kubectl, helm, and what a test puts into the cluster to look at it."""
