"""Many symmetric 3x3 matrices at once, in closed form; for hundreds of them that is much faster than LAPACK."""

from __future__ import annotations

import numpy as np

from geometry.types import Array, BoolArray

# Cofactor k of a matrix in row-major order is m[P[k]] m[Q[k]] - m[R[k]] m[S[k]].
_P, _Q = np.array([4, 5, 3, 2, 0, 1, 1, 2, 0]), np.array([8, 6, 7, 7, 8, 6, 5, 3, 4])
_R, _S = np.array([5, 3, 4, 1, 2, 0, 2, 0, 1]), np.array([7, 8, 6, 8, 6, 7, 4, 5, 3])


def invert(matrices: Array) -> tuple[Array, Array]:
    """Inverse and determinant by cofactors.

    Args:
        matrices: Shape (N, 3, 3), symmetric, positive definite.

    Returns:
        Inverses, shape (N, 3, 3), exactly symmetric; determinants, shape (N,).

    Example:
        >>> inverses, determinants = invert(np.diag([1.0, 2.0, 4.0])[None])
        >>> inverses[0].diagonal().tolist(), determinants.tolist()
        ([1.0, 0.5, 0.25], [8.0])
    """
    cofactors, determinants = _expand(matrices)
    return (cofactors / determinants[:, None]).reshape(-1, 3, 3), determinants


def positive_definite(matrices: Array) -> BoolArray:
    """Sylvester's criterion: the leading minors are positive.

    Args:
        matrices: Shape (N, 3, 3), symmetric.

    Returns:
        Shape (N,); False where a number is not finite.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        cofactors, determinants = _expand(matrices)
    good: BoolArray = (matrices[:, 0, 0] > 0.0) & (cofactors[:, 8] > 0.0)
    good &= (determinants > 0.0) & (determinants < np.inf)
    return good


def _expand(matrices: Array) -> tuple[Array, Array]:
    """Cofactors, shape (N, 9), and determinants, shape (N,)."""
    flat = matrices.reshape(-1, 9)
    cofactors = flat.take(_P, 1) * flat.take(_Q, 1) - flat.take(_R, 1) * flat.take(_S, 1)
    determinants: Array = (flat[:, :3] * cofactors[:, :3]).sum(axis=1)
    return cofactors, determinants
