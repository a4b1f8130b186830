"""Sequences of the MOTChallenge: what its files leave open is decided here, and said."""
