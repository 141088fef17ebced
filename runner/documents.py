"""Where documents begin in the sequences of a batch, for attention that ends with the document."""

from torch import Tensor

from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT


def document_begins(tokens: Tensor) -> Tensor:
    """Whether each of ``tokens`` ``[b, s]`` is the first of its document that its sequence holds: bool ``[b, s]``.

    An end-of-document mark that is read begins the next document. It then sees nothing of what it ends, and the first
    token behind it is predicted from the mark alone, as in a document by itself; the mark is predicted by the document
    that it ends. So no label asks for another document, and none has to be left out of the loss.

    Positions are not reset: rotary embeddings turn query · key by the distance of the two tokens alone, which is the
    same wherever in a sequence a document stands.
    """
    begins = tokens == END_OF_DOCUMENT
    begins[:, 0] = True  # what is left of the document that the sequence before it cut
    return begins
