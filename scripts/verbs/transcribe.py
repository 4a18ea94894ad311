"""``dive transcribe RECIPE --file SOUND``: writes down what is said, in files, folders, or a stream that comes in.

    dive transcribe rnn/speech --file sound.wav               the text
    dive transcribe rnn/speech --file sound.wav --times       a line for each character, with seconds and confidence
    dive transcribe rnn/speech --file FOLDER more.flac        a line for each sound: its name and its text
    dive transcribe rnn/speech_stream --stream --rate 8000   after `arecord -t raw -f S16_LE -r 8000 |`

WAV files may have any rate, width and number of channels; FLAC, OGG and MP3 are read too. A stream is raw samples
(``--format s16le``, ``--rate``, ``--channels``) on the standard input, and what is heard is printed at once; it needs a
model that reads in one direction. The newest run of the recipe is taken, or ``--run DIR``; ``--ckpt_path`` names a
checkpoint.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from common.data_protocol import attribute_of
from common.messages import UserError, note
from common.transcription import Heard, Transcribes
from scripts.front.option_parser import OptionParser

PIECE = 4096  # bytes that are read from the stream at most at once
FILES = (b"RIFF", b"fLaC", b"OggS", b"ID3")  # how sound files begin
CHECKED = 0.5  # seconds of a stream after which it is looked at whether it is of two channels
LONG = 60.0  # seconds: a longer sound is heard in pieces, where the model can
SEARCHED = 300.0  # seconds: above it no beam search, whose time and memory grow with the square of the length


def main(argv: list[str]) -> int:
    """Transcribes; returns 0, or 2 if no file could be read."""
    parser = make_parser()
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip() + "\n\n" + parser.format_help())
        return 0
    given = parser.parse_args(argv)
    if not given.recipe and not given.run:
        raise UserError("which recipe? `dive transcribe RECIPE --file sound.wav`")
    if bool(given.file) == given.stream:
        raise UserError("what is to be transcribed? give --file SOUND, or --stream for the standard input")
    import torch

    from scripts.verbs.generate import load

    model, data, run = load(given)
    if not isinstance(model, Transcribes):
        raise UserError(f"{run} is a run of {type(model).__name__}, which transcribes nothing: train rnn/speech")
    names = attribute_of(data, "class_names")
    if not names:
        raise UserError(f"{run} has no processor.json with the characters of its labels")
    network: Any = model
    network.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    if given.stream:
        hear_stream(network, names, given)
        return 0
    return transcribe_files(network, names, given)


def make_parser() -> OptionParser:
    from datamodules.audio.pcm import FORMATS

    parser = OptionParser(prog="dive transcribe", add_help=False)
    parser.add_argument("recipe", nargs="?", default="", metavar="RECIPE")
    parser.add_argument("--run", help="the folder of a run instead of the recipe's newest")
    parser.add_argument("--ckpt_path", default="best", help="best (default), last, or a file")
    parser.add_argument("--file", nargs="+", default=[], metavar="SOUND", help="sound files, or folders of them")
    parser.add_argument("--stream", action="store_true", help="raw samples from the standard input")
    parser.add_argument("--rate", type=int, default=0, help="of the stream, in Hz (default: the model's)")
    parser.add_argument("--channels", type=int, default=1, help="of the stream (default 1)")
    parser.add_argument("--format", default="s16le", choices=list(FORMATS), help="of the stream (default s16le)")
    parser.add_argument("--times", action="store_true", help="when each character was heard, and how surely")
    return parser


# -- files ------------------------------------------------------------------------------------------------------------


def transcribe_files(model: Any, names: list[str], given: argparse.Namespace) -> int:
    files = [file for path in given.file for file in sounds_of(path)]
    read = 0
    for file in files:
        try:
            heard = heard_in(model, file)
        except (ValueError, OSError) as error:
            if len(files) == 1:
                raise UserError(f"{file} cannot be read: {error}; give --file a WAV, FLAC, OGG or MP3") from None
            note(f"{file} cannot be read and is left out: {error}")
            continue
        read += 1
        text = "".join(names[one.label - 1] for one in heard)
        if len(files) > 1:
            print(f"{file}\t{text}")
        if given.times:
            for one in heard:
                print(line_of(one, names))
        elif len(files) == 1:
            print(text)
    return 0 if read else UserError.exit_code


def sounds_of(path: str) -> list[str]:
    """The file, or the sounds of the folder."""
    from datamodules.audio.sound_files import find_sounds

    if os.path.isdir(path):
        found = find_sounds(path)
        if not found:
            raise UserError(f"{path} has no sound files (WAV, FLAC, OGG, MP3)")
        return [str(Path(path) / name) for name in found]
    if not os.path.isfile(path):
        raise UserError(f"no file {path}: give --file a sound or a folder of sounds")
    return [path]


def heard_in(model: Any, file: str) -> list[Heard]:
    """What is said in a sound file.

    Raises:
        ValueError: It cannot be read.
    """
    import torch

    from datamodules.audio.sound_files import read_sound

    sound = torch.from_numpy(read_sound(file, model.sample_rate)).float()
    if not sound.any():
        note(f"{file} is silent")
    seconds = len(sound) / model.sample_rate
    if seconds > LONG and not model.net.bidirectional:
        searched = getattr(model, "beam_width", 1) > 1
        if searched and seconds > SEARCHED:
            searched = False
            note(f"{file} is longer than {SEARCHED:g} s: decoded by the best path, without the beam search")
        listener, heard = model.listen(whole=True) if searched else model.listen(), []
        for piece in sound.split(10 * model.sample_rate):
            heard += listener.hear(piece)
        return [*heard, *listener.finish()]
    lengths = torch.tensor([len(sound)], device=model.device)
    return list(model.transcribe(sound[None].to(model.device), lengths)[0].heard)


def line_of(one: Heard, names: list[str]) -> str:
    return f"{one.begin:8.2f} {one.end:8.2f}  {names[one.label - 1]}  {one.confidence:.3f}"


# -- a stream ---------------------------------------------------------------------------------------------------------


def hear_stream(model: Any, names: list[str], given: argparse.Namespace) -> None:
    """Prints what is heard on the standard input, at once.

    Raises:
        UserError: An option is wrong, no sound came, it is a file's, or of two channels and declared to be one.
    """
    import numpy as np

    from datamodules.audio.pcm import PCM, StreamResampler, looks_interleaved

    rate = given.rate or model.sample_rate
    if rate < 1 or given.channels < 1:
        raise UserError(f"--rate {rate}, --channels {given.channels}: give whole numbers of at least 1")
    listener, pcm, resampler = (
        model.listen(),
        PCM(given.format, given.channels),
        StreamResampler(rate, model.sample_rate),
    )
    beginning: list[Any] = []  # of a stream of one channel, until it was checked
    count = 0

    def check() -> None:
        if given.channels == 1 and beginning and looks_interleaved(np.concatenate(beginning)):
            raise UserError("the stream looks like two channels, in pairs of samples: give --channels 2")
        beginning.clear()

    def show(heard: list[Heard]) -> None:
        for one in heard:
            sys.stdout.write(line_of(one, names) + "\n" if given.times else names[one.label - 1])
        sys.stdout.flush()

    source: Any = sys.stdin.buffer
    start = b""
    try:
        while len(start) < 4 and (data := source.read1(4 - len(start))):
            start += data
        if start.startswith(FILES):
            raise UserError("the stream begins as a sound file does: give it with --file, or send raw samples")
        data = start
        while data := data or source.read1(PIECE):
            samples, data = pcm.samples(data), b""
            if count < CHECKED * rate:
                beginning.append(samples)
            count += len(samples)
            if count >= CHECKED * rate and beginning:
                check()
            show(listener.hear(resampler.resample(samples)))
    except KeyboardInterrupt:  # the usual end of a microphone
        pass
    if not count:
        raise UserError("no sound came from the standard input: pipe raw samples into `dive transcribe ... --stream`")
    check()
    show([*listener.hear(resampler.resample(np.zeros(0, dtype=np.float32), last=True)), *listener.finish()])
    if pcm.rest:
        note(
            f"the stream ends within a sample: {len(pcm.rest)} bytes are left over; are --format and --channels right?"
        )
    sys.stdout.write("" if given.times else "\n")
