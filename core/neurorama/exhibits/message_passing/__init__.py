"""Message passing

Depth, over-smoothing, over-squashing, rewiring, diffusion.
"""
