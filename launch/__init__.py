"""Configuration, wiring, schedulers, record and replay, the command line, doctor.

Owns: how a run is put together and when each stage runs.

Does not own: algorithms; it stays thin, in sub-packages by use (`cli`, `config`, `bag`, `schedulers`, `configs`).
"""
