"""Names of bundled models of keywords, by what a test needs of them: they change whenever the hub is made anew."""

from studies import bundled


def keywords(bits=None, family="temporal"):
    """Names of the models of `kws` of a family that hear log-mels or MFCC, at so many bits, the smallest first."""
    return [one.name for one in bundled.keywords(bits, family=family)]


def smallest(bits=8, family="temporal"):
    return keywords(bits, family)[0]


def largest(bits=8, family="temporal"):
    return keywords(bits, family)[-1]


def middle(bits=8):
    names = keywords(bits)
    return names[len(names) // 2]


def micro():
    """The smallest on the front end of microcontrollers' examples, whose frames are 10 ms."""
    return bundled.micro_models()[0]


def narrowest():
    """The largest model of the fewest bits."""
    return next(names[-1] for names in map(keywords, (1, 2, 3)) if names)


def sized(name):
    """A pattern of all models of a network: `kws-temporal-3M-w*`."""
    return name.rsplit("-", 2)[0] + "-w*"
