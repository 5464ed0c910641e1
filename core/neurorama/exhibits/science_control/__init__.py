"""Science and control

Networks at work: equations of physics, robots, circuits, ships and schedules.
"""
