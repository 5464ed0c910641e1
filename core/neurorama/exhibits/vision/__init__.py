"""Vision and video"""
