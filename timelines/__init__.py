"""Timelines of labelled actions: segments, agreement, diagnosis, consensus and file formats.

A pure library (numpy, scipy, rapidfuzz; no Django). Frames are the truth: every interval is
half-open, ``[start_frame, end_frame)``, counted in displayed frames of one video.
"""
