"""Settings -> a trained model: the program of `recognizer.train`."""

import sys

from recognizer.train import main

if __name__ == "__main__":
    sys.exit(main())
