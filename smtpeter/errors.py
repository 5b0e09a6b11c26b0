"""What is told to an operator."""


class OperatorError(Exception):
    """Something that an operator can mend; the text is one line for them."""
