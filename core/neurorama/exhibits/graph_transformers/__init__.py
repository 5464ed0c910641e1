"""Graph transformers

What if every node could look at every other at once? Attention, state spaces and mixers on graphs, and what they
cost.
"""
