"""Headgate in memory: the same step, a fake clock, scripted agents and faults.

For tests, of Headgate and of what is built on it. Users' tests want the fixture ``headgate_sim``,
which is :mod:`headgate.sim.face`; the parts start at :mod:`headgate.sim.world`.
"""
