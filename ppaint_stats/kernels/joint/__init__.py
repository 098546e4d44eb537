"""The joint model's log density with its gradient, written out by hand and compiled once for all studies.

The first call on a machine compiles ``joint_logp``, later ones load it from numba's disk cache. To keep the first one
short, functions that are called from one place are inlined before compilation (each would otherwise be optimised again
in its caller), the others meet each argument with one type alone, and arrays are added to in loops.
"""
