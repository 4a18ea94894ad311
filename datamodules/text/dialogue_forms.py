"""How questions are asked: the forms of training, and those of validation and test, which training does not have.

``{0}`` and ``{1}`` are what is asked about. Forms that are held out are made of words that training has elsewhere.
"""

FORMS: dict[str, dict[str, tuple[str, ...]]] = {
    "currency": {
        "train": (
            "What is the currency of {0}?",
            "Which currency does {0} use?",
            "What money do people use in {0}?",
            "How do people pay in {0}?",
            "Name the currency of {0}.",
            "Tell me the money of {0}.",
            "In {0}, which money do people use?",
            "{0} uses which currency?",
            "What do people pay with in {0}?",
            "In {0}, tell me the currency.",
        ),
        "val": ("Which money does {0} use?", "Tell me what people pay with in {0}."),
        "test": ("What currency do people use in {0}?", "Name the money of {0}.", "In {0}, what is the currency?"),
    },
    "language": {
        "train": (
            "What is the language of {0}?",
            "Which language do people speak in {0}?",
            "What do people speak in {0}?",
            "Name the language of {0}.",
            "Tell me the language people speak in {0}.",
            "In {0}, which language do people speak?",
            "{0} speaks which language?",
            "How do people talk in {0}?",
            "Which language does {0} speak?",
            "In {0}, tell me the language.",
        ),
        "val": ("What is the language people talk in {0}?", "Tell me how people talk in {0}."),
        "test": (
            "What language do people speak in {0}?",
            "Tell me the language of {0}.",
            "In {0}, what do people talk?",
        ),
    },
    "weekday": {
        "train": (
            "What is {0} in {1}?",
            "How do you say {0} in {1}?",
            "Say {0} in {1}.",
            "Translate {0} to {1}.",
            "What is the {1} word for {0}?",
            "In {1}, what is {0}?",
            "{0} in {1}?",
            "Tell me the {1} name of {0}.",
            "What do you call {0} in {1}?",
            "In {1}, how is {0} called?",
            "In {1}, what do people call {0}?",
        ),
        "val": ("Tell me how you say {0} in {1}.", "What is the {1} name of {0}?"),
        "test": ("What do you say for {0} in {1}?", "In {1}, how do you say {0}?", "Tell me the {1} word for {0}."),
    },
    "sum": {
        "train": (
            "What is {0} + {1}?",
            "How much is {0} + {1}?",
            "{0} + {1}",
            "{0}+{1}=?",
            "Add {0} and {1}.",
            "What is the sum of {0} and {1}?",
            "How much is {0} and {1}?",
            "Tell me {0} plus {1}.",
            "{0} plus {1} is what?",
        ),
        "val": ("What is {0} plus {1}?", "{0} and {1} is how much?"),
        "test": ("How much is {0} plus {1}?", "Tell me the sum of {0} and {1}.", "Add {0} + {1}."),
    },
}
FOLLOW_UPS: dict[str, tuple[str, ...]] = {
    "train": ("And in {0}?", "And {0}?", "What about {0}?", "And of {0}?", "And for {0}?"),
    "val": ("And what about {0}?",),
    "test": ("What about in {0}?", "And what of {0}?"),
}
OPENINGS = ("", "", "", "please, ", "hello! ")
