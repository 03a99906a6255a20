"""The model: pure functions of one quarter, over named axes, with or without a trailing draw axis."""
