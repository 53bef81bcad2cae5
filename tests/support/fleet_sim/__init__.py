"""The whole fleet in virtual time, from a seed: `python -m tests.support.fleet_sim --seed N`.

clock, machine, host, link      time, processes, machines, and the way to Redis, with faults
servers, memory_redis, lua_host Redis: a real one, or the product's scripts in this process
world, pipeline, engine         what happens on the streams, and engines that see it
worker, operator                the product's own worker and operator on all that
faults, strikes, fleet          what goes wrong when, and the run
ledger, auditor, trace          the truth, the invariants, and what to read when one breaks
mutations                       the protocol with a part left out: the simulation has to notice
"""
