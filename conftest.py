"""What holds for every test: a busy machine is no failure, so hypothesis sets no deadline."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
