"""Theory

Infinite width, scaling laws, collapse, connectivity, geometry of representations.
"""
