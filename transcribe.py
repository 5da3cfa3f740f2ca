"""Files -> texts: `python transcribe.py --help`."""

from recognizer.transcribe import run

raise SystemExit(run())
