"""Architecture search

Networks that design, rank, write or read other networks.
"""
