"""The one exception that means: what the user handed in is wrong, and here is the remedy."""


class InputError(ValueError):
    """A command line, configuration or input file that cannot be used.

    The message is one clear sentence for the user; it names the file (and the study and field where there is one)
    and the remedy. Commands turn it into exit status 2, or into a skipped study where others can go on.
    """
