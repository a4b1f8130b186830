"""Where frames come from: recordings, OpenCV devices and files, RealSense cameras.

Owns: opening a camera or file, its stamps on the run clock, aligning depth to colour, saying so when it stops.

Does not own: pacing, dropping or storing of frames (schedulers and the recorder do).

A source is imported when it is used, so that a missing driver package does not stop the others.
"""
