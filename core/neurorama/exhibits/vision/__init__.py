"""Vision and video

Seeing in one glance and over time: convolutions, attention and scans on pictures, clips and event cameras.
"""
