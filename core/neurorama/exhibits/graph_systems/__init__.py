"""Systems

Training, serving, memory, compilers, hardware, networks of machines.
"""
