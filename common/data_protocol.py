"""The attributes of a datamodule that callbacks, tasks and scripts may read: those of ``DataProtocol``, and no others.

A datamodule has those that make sense for its data. Code that reads one passes a default for where it is absent:

    names = data_attribute(trainer, "class_names")
    length = data_attribute(trainer, "characters_per_token", {}).get("test")

Sizes that a model must know (``num_classes``, ``image_size``, ``vocab_size`` ...) are not here: they are arguments of a
datamodule that the command line links to the model's arguments of the same name.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class DataProtocol(Protocol):
    """The attributes that a datamodule may have. None of them is required; one that is there has this meaning."""

    # -- data in memory ---------------------------------------------------------------------------------------------
    #: Tensors with the same first dimension by split (``train``, ``val``, ``test``, ``predict``), the target last.
    splits: "dict[str, tuple[Tensor, ...]]"
    #: Loads the splits that a stage (``fit``, ``validate``, ``test``, ``predict``) needs: Lightning's hook.
    setup: Callable[[str], None]
    #: What a batch goes through before the network sees it.
    transform: "Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]"
    #: Chance and a simple baseline for this kind of data, each with ``what`` (its description) and its ``metrics``.
    baselines: Callable[[], dict[str, dict[str, Any]]]
    #: Sizes that only the files know, from the constructor's arguments; static, called before the model is built.
    infer: Callable[..., dict[str, Any]]
    #: Sizes that a file given by the user decides, whatever a recipe says; static, called before a run begins.
    decided_by_files: Callable[..., dict[str, Any]]

    #: The person's own file or folder that is read; empty for a data set of the project.
    own_path: str
    #: Whether another file or folder than the run's is tested: there are no training rows for a baseline.
    other_file: bool
    #: What was read of it, in one line: rows by split, classes, sizes, what was cut, left out or unknown.
    summary: Callable[[], str]

    #: What a person's file holds, in lines, from arguments of the constructor; static, for ``dive describe``.
    described: Callable[..., list[str]]

    # -- using a trained model --------------------------------------------------------------------------------------
    #: Plain values that using the model needs besides its weights: ``processor.json``.
    processor: Callable[[], dict[str, Any]]
    #: What a sample of x is made of and how, in words, for programs that read an exported model.
    input_means: str
    #: What is still to be done to a prediction to have it in the units of the target, in words.
    output_means: str
    #: Takes back what ``processor`` returned in the run that trained the model.
    load_processor: Callable[[dict[str, Any]], None]
    #: One name for each row of the predict split.
    predict_names: list[str] | None
    #: The picture of a row of the predict split as it is in its file, upright (a ``PIL.Image``), and which part of it
    #: the model saw: left, top, right, bottom in pixels.
    predict_picture: Callable[[int], tuple[Any, tuple[float, float, float, float]]]
    #: What a competition's ``submission.csv`` has of each row, ``label`` or ``probabilities``, and its two headings.
    submission: str
    submission_names: tuple[str, str]
    #: The cells of the table to predict, by column: ``predictions.csv`` repeats them beside the predictions.
    predict_cells: dict[str, list[Any]]
    #: One name for each step of a forecast (its time, or its row): a row of ``predictions.csv`` for each.
    predict_steps: list[str]
    #: ``in_units(name, values)``: what a model predicts under a name, in the units of the target.
    in_units: "Callable[[str, Tensor], Tensor]"

    # -- what numbers mean ------------------------------------------------------------------------------------------
    #: The name of each class.
    class_names: list[str] | None
    #: Whether pictures are of the ten digits, so that a classifier of digits measures what is generated.
    digits: bool
    #: Mean and standard deviation of the training targets.
    target_mean: float
    target_std: float
    #: How many of the target's units one is, where the datamodule standardizes the target.
    scale: float
    #: The target's unit, such as ppm.
    unit: str
    #: The columns of a table, and how each becomes numbers.
    columns: list[Any] | None
    #: Mean (D,) and covariance (D, D) of the distribution that generated the data.
    true_mean: "Tensor"
    true_covariance: "Tensor"
    #: The centers (K, D) of a mixture, and the standard deviation around each.
    modes: "Tensor"
    mode_std: float
    #: Samples a second (Hz) of a sound.
    sample_rate: int
    #: What each sound with a transcript is called, by split, in the order of its rows: its file.
    utterance_names: dict[str, list[str]]
    #: The kernel (1, 1, K, K) that generated the data, to which a learned one is compared.
    kernel: "Tensor"
    #: The log-density (B,), in nats, of rows (B, D) under the distribution that generated them.
    log_density: "Callable[[Tensor], Tensor]"
    #: Many training sets of one curve: x and y, each (S, N); and the curve without noise, elementwise.
    curve_sets: "tuple[Tensor, Tensor] | None"
    true_curve: "Callable[[Tensor], Tensor]"
    #: From one point of a grid to the next.
    spacing: float
    #: Texts (G, K, T) that an image is compared with, K classes in each of G groups, and what the groups are called.
    captions: "Tensor"
    group_names: list[str]
    #: Labeled images (N, C, H, W) of other classes, from which features are learned first, and their classes (N,).
    source: "Callable[[], tuple[Tensor, Tensor]]"
    #: The class of these images that the style of a style transfer is; None for a picture of one's own.
    style_class: int | None
    #: Unlabeled inputs (N, ...) of the target distribution.
    target_x: "Tensor"
    #: The density that generated points (N, D), exact with noise too: ``log_prob``, ``score``, ``sample``, ``coverage``
    #: (``datamodules/synthetic/mixture.py``).
    mixture: Any

    # -- reinforcement learning -------------------------------------------------------------------------------------
    #: A known Markov decision process: P (S, A, S) without what ends an episode, and expected rewards R (S, A).
    mdp: "tuple[Tensor, Tensor]"
    #: Rows and columns, where the states are places of a map, and what each action does there.
    grid: tuple[int, int] | None
    #: The mean reward of each arm of each run (R, K), and the true value of each state (S,), for measuring only.
    arm_means: "Tensor"
    true_values: "Tensor"
    action_names: list[str] | None

    # -- texts ------------------------------------------------------------------------------------------------------
    #: The token of each id, for texts with a class.
    vocabulary: list[str] | None
    #: The words of each sentence of each split, for sentences with a tag per word.
    tagged_words: dict[str, list[list[str]]]
    #: For questions about passages, by split: the question of each window, and the right answers of each question.
    window_questions: "dict[str, Tensor]"
    right_answers: dict[str, list[list[str]]]
    #: ``answer_text(split, window, first, last)``: the text between two tokens of a window.
    answer_text: Callable[[str, int, int, int], str]
    #: The passages (N, P), as tokens, that questions are asked of.
    passages: "Tensor"
    #: Occurrences (V,) of each word of the vocabulary in the training text.
    word_counts: "Tensor"
    #: What word vectors are tested with: ``similarity`` (pairs with a human score), ``analogies`` (four words),
    #: ``neighbors`` (a word, and which neighbors are right), ``unseen`` (the same of words that are not in the
    #: vocabulary); each a mapping of a metric's name to a list.
    word_tests: dict[str, dict[str, Any]]
    #: log P of each token at each place (B, T, V) by the generator of the data, of masked sentences ``(seen, chosen)``.
    masked_log_probs: "Callable[[Tensor, Tensor], Tensor]"
    #: Which tokens (V,) continue a word: WordPiece's ``##ing``.
    continues: "Tensor"
    #: Between texts and ids, for language models: ``tokens``, ``encode``, ``decode``.
    tokenizer: Any
    #: How a text is cut into training batches: ``random`` windows, or ``sequential`` streams.
    partition: str
    #: The file that ``tokenizer`` came from; empty where it was made from the training text.
    tokenizer_file: str
    #: Whether the targets of a language model are answers, of which each is right or wrong.
    answers: bool
    #: How a chat asks: the text around a question, with ``{}`` in its place, and the text that ends an answer.
    chat_template: str
    chat_stop: str
    #: Questions that a person may begin with.
    chat_examples: tuple[str, ...]
    #: Texts (tokens, targets), each (N, T), from which the start of a policy is trained.
    demonstrations: "tuple[Tensor, Tensor] | None"
    #: ``rewards(completions (N, L), answers (N, L))``: what a policy's answers earn by kind (N,); ``reward`` is paid.
    rewards: "Callable[[Tensor, Tensor], dict[str, Tensor]]"
    #: Characters of a token on average, by split.
    characters_per_token: dict[str, float]
    #: Words and bytes of a token on average, by split: losses of different tokenizers compare.
    units_per_token: dict[str, dict[str, float]]
    #: Bits that are added to a token's on average for the characters behind ``<unk>``, by split.
    unknown_bits: dict[str, float]
    #: Between source texts and ids, for pairs of texts.
    source_tokenizer: Any
    #: The largest number of tokens in a text.
    max_length: int
    #: What a text goes through before it is cut into tokens.
    normalize: Callable[[str], str]
    #: Texts as ids (N, S), padded, and their lengths (N,).
    encode_source: "Callable[[Sequence[str]], tuple[Tensor, Tensor]]"
    #: Ids (B, L) as texts, each up to its end.
    decode_target: "Callable[[Tensor], list[str]]"
    #: Single tokens of a source, and of a target, as texts.
    source_tokens: Callable[[Iterable[int]], list[str]]
    target_tokens: Callable[[Iterable[int]], list[str]]
    #: The true target texts by split, in the order of its rows.
    references: dict[str, list[str]]
    #: How they are normalized, for the signature of BLEU.
    reference_form: str
    #: Parts of a split that have scores of their own: split, name, whether each row belongs to it.
    subsets: dict[str, dict[str, list[bool]]]
    #: All true texts of each row by split, where a row has several.
    reference_sets: dict[str, list[list[str]]]
    #: Whether the texts are English: ROUGE then compares the stems of words.
    english: bool
    #: ``fact_scores(outputs, rows)``: how many of the facts that the sources of these test rows have the outputs state.
    fact_scores: Callable[[Sequence[str], Sequence[int]], dict[str, float]]
    #: The sentences of a text; and those of all documents of a split, one document after the other.
    sentences: Callable[[str], list[str]]
    document_sentences: dict[str, list[str]]
    #: Whether scores of a test are shown with their intervals, which takes a second for a thousand texts.
    intervals: bool

    # -- ratings ----------------------------------------------------------------------------------------------------
    #: The name of each item as its file has it, and what it is called.
    item_names: list[str]
    titles: list[str]
    #: user * num_items + item of the training pairs (N,), sorted.
    positives: "Tensor"
    #: How many training interactions each item has (I,).
    item_counts: "Tensor"
    #: How many items are predicted for each user.
    top: int


NAMES = frozenset(DataProtocol.__annotations__)


def data_attribute(trainer: Any, name: str, default: Any = None) -> Any:
    """An attribute of the trainer's datamodule; ``default`` where it has none, or where there is no datamodule.

    Raises:
        AttributeError: The name is not in ``DataProtocol``.
    """
    return attribute_of(getattr(trainer, "datamodule", None), name, default)


def attribute_of(data: Any, name: str, default: Any = None) -> Any:
    """The same of a datamodule itself."""
    if name not in NAMES:
        raise AttributeError(
            f"{name!r} is not in DataProtocol (common/data_protocol.py): add it there, with its meaning"
        )
    return getattr(data, name, default)
