"""Pure: what pages say that say one thing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A heading, some paragraphs, and perhaps one way on."""

    heading: str
    paragraphs: tuple[str, ...]
    url: str = ""
    label: str = ""


HOME = {"url": "/", "label": "To the list"}
CHECK_MAIL = Word(
    heading="Please look into your mail",
    paragraphs=(
        "A short mail is on its way to your address. Press the button in it, and you are on the list.",
        "Nothing there after ten minutes? Look among the spam, or try again tomorrow: we write once a day at most.",
    ),
)
TOO_MANY = Word(
    heading="Too many at once",
    paragraphs=("Very many people are signing up just now. Please try again in an hour.",),
    **HOME,
)
LINK_IS_OLD = Word(
    heading="This link does not work any more",
    paragraphs=("It has expired, or it was used before, or a part of it is missing. A new one is quickly had.",),
    url="/",
    label="Sign up again",
)
ON_THE_LIST = Word(
    heading="You are on the list",
    paragraphs=("This link did its work before. Each mail has one of its own at its foot, to choose or to leave.",),
    **HOME,
)
NOT_ON_LIST = Word(
    heading="You are not on the list",
    paragraphs=("Nothing is sent to this address, so there is nothing to choose. You are welcome to come back.",),
    url="/",
    label="Sign up",
)
FAULTS = {
    400: Word(heading="That did not work", paragraphs=("The page was asked for in a way it does not know.",), **HOME),
    403: Word(
        heading="That did not come from our page",
        paragraphs=("Please open the page anew and press the button there.",),
        **HOME,
    ),
    404: Word(
        heading="There is no such page",
        paragraphs=("The link is not complete, or what it led to is not here any more.",),
        **HOME,
    ),
    405: Word(heading="That did not work", paragraphs=("This page is only for reading.",), **HOME),
    413: Word(heading="That was too much", paragraphs=("Please send less at once.",), **HOME),
    429: Word(
        heading="Too many at once",
        paragraphs=("From where you are, somebody signs up again and again. Please try again in an hour.",),
        **HOME,
    ),
    500: Word(heading="Something went wrong here", paragraphs=("It is noted. Please try again later.",), **HOME),
    503: Word(heading="We cannot do that just now", paragraphs=("Please try again in a few minutes.",), **HOME),
}
