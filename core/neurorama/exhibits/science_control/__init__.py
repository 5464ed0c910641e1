"""Science and control

PDEs, reinforcement learning, scheduling, applications.
"""
