"""Speech and handwriting -> text, with deep bidirectional LSTMs and CTC."""
