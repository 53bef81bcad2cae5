"""The control plane: decides which worker watches which stream, and tells how that goes.

Decisions (`planner`, `handover`, `status`) are pure functions over plain data; one `reconcile`
loop reads, decides and writes. It never imports the data plane: what the two share is in
`streammonitor_api`.
"""
