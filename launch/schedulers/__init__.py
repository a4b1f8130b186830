"""When each stage runs: on a number (`virtual`), on recorded rows (`replay`), on threads (`wall`)."""
