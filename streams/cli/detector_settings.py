"""The detector's settings as a command uses them: with the directory's files."""

from __future__ import annotations

from detector.directory_file import DirectoryFileError
from detector.settings import Settings
from streams.cli.screen import fail
from streams.config import Config
from streams.directory import read_directory

__all__ = ["detector_settings"]


def detector_settings(config: Config) -> Settings:
    """The detector's settings with the directory's files, or exit with what is wrong with one of them."""
    try:
        return config.detector_with(read_directory(config.directory))
    except DirectoryFileError as error:
        fail(str(error))
