"""Message passing

Nodes learn by listening to their neighbours. How far can they listen before all sound the same (over-smoothing), and
how does news from far away get through a narrow passage (over-squashing)?
"""
