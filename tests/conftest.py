"""What every test shares: property tests without a deadline, since a busy machine is not a defect."""

from hypothesis import settings

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")
