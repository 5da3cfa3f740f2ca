"""Files -> texts: `python transcribe.py --help`."""

from recognizer.transcribe import main

raise SystemExit(main())
