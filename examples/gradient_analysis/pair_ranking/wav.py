"""Read and write WAV files of 16-bit mono PCM, with nothing but the standard library and numpy."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import numpy as np

import reproof

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_REMEDY = "convert it, e.g. `ffmpeg -i in.wav -ac 1 -c:a pcm_s16le out.wav`"


def read_wav(path: Path) -> tuple[NDArray[np.int16], int]:
    """Return the samples of a file and their rate in Hz.

    Raises:
        ReproofError: If it cannot be read, or is anything but 16-bit mono PCM.
    """
    try:
        with wave.open(str(path), "rb") as file:
            form = file.getparams()
            data = file.readframes(form.nframes)
    except OSError as error:
        raise reproof.ReproofError(f"{path} cannot be read ({error.strerror})", "check its permissions") from None
    except (wave.Error, EOFError) as error:
        raise reproof.ReproofError(f"{path} is no PCM WAV file ({error or 'it ends early'})", _REMEDY) from None
    if (form.nchannels, form.sampwidth) != (1, 2):
        found = f"{8 * form.sampwidth} bits, {form.nchannels} channel{'s' if form.nchannels > 1 else ''}"
        raise reproof.ReproofError(f"{path} has {found}, not 16 bits, 1 channel", _REMEDY)
    if not form.nframes or len(data) != 2 * form.nframes:
        found = f"{len(data) // 2} of {form.nframes} samples"
        raise reproof.ReproofError(f"{path} holds {found}", "record it again, or take it out of the folder")
    return np.frombuffer(data, dtype="<i2").astype(np.int16), form.framerate


def write_wav(path: Path, samples: NDArray[np.int16], sample_rate: int) -> None:
    """Write samples as 16-bit mono PCM; a file that exists is replaced.

    Raises:
        ReproofError: If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(sample_rate)
            file.writeframes(samples.astype("<i2").tobytes())
    except OSError as error:
        raise reproof.ReproofError(f"{path} cannot be written ({error.strerror})", "choose another folder") from None
