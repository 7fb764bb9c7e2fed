"""What people read on pages and in reports, in English and in every language with a catalogue here.

A message is its English text. A language is a folder of gettext catalogues, ``<language>/LC_MESSAGES/<domain>.po``:
``screens`` holds the messages of the console and the report, ``alerts`` those of alerts, by code.
"""

from streams.locale.translator import Language, Translator, gettext_noop, negotiate, ngettext_noop

__all__ = ["Language", "Translator", "gettext_noop", "negotiate", "ngettext_noop"]
