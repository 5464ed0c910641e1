"""Theory

Why does it work at all? Infinite width, scaling laws, valleys between solutions and the shape of what is learned.
"""
