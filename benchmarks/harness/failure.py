class MeasurementFailed(Exception):
    """A measurement has no figure. The text says what happened and what to do."""
