"""What a benchmark writes into a page that people write: all between two marks, and nothing else of it."""


def between(text: str, begin: str, end: str, body: str) -> str:
    """The page's text with ``body`` between its marks."""
    before, rest = text.split(begin)
    return f"{before}{begin}\n{body}\n{end}{rest.split(end, 1)[1]}"
