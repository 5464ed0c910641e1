"""Systems

How the machines do it: disks, caches, compilers, chips and clusters, with every byte and every operation counted.
"""
