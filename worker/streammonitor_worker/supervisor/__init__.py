"""What a worker does for the fleet: it takes streams over, watches them in engines, hands them on.

    duties     pure: assignments and what became of them, to what is to be done   (a table)
    crew       pure: which engine a stream runs in; engines that die, streams that kill them
    shedding   pure: whose fidelity gives way when there is too little capacity
    desk       carries out what these decide
    worker     the shell: one thread that decides, and what posts to it
    liaison, workshop, engines     Redis; engine processes

The pure parts hold no clock, thread or connection: the simulation of a fleet drives them as they
are.
"""
