"""Trust

Can you rely on a graph network? Opposed neighbours, attackers, unfair data, shifting worlds and stolen models put it
to the test.
"""
