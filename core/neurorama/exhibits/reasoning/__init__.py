"""Reasoning

Knowledge graphs, logic, SAT, algorithms, combinatorial optimisation.
"""
