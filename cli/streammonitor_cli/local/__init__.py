"""The fleet on one machine: what Kubernetes does for a cluster, done for a folder and processes.

state.py      the folder that keeps what a restart continues from
children.py   processes that do not outlive the fleet, and are started again when they die
redis.py      the embedded Redis             workers.py   the workers
manifests.py  the folder of YAML files       fleet.py     all of it together
"""
