"""Benchmarks as ratios: ``make bench`` measures, appends to the history and writes the table of docs/benchmarks.md.

Everything is CPU time of the processes that do the work, both sides of a ratio measured in turns in one run, the best
round of each taken: what else the machine does moves both alike. No absolute claim is made.
"""
