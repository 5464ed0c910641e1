"""Architecture search, hypernetworks, networks about networks"""
