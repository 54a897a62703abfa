"""Every known difference between the simulated AWS and moto, with the reason why the simulated one is right.

Reasons rest on AWS's documentation (D), on the API's model (M), on what was run and seen on AWS (R), or on what is known
of AWS but was not verified here (K). A row that no case meets any more fails the tests: it is out of date.
"""

# Cases that cannot run on moto or end otherwise there, as a whole.
CASES_NOT_ON_MOTO = {
}

# Operations that are in no comparison at all. Each is driven on the simulated AWS all the same.
OPERATIONS_NOT_ON_MOTO = {
}

# (operations, path in the answer, `sim only` | `moto only` | `value`, why the simulated AWS is right); `*` is anything,
# `a|b` is either.
ANSWERS = [
]
