"""What the page of ``published_proof`` says between its tables; figures are filled in from what was found."""

HEAD = """
How well would a law fitted to a project's small runs have told the loss of its largest? Each series of published runs
(one corpus, tokenizer, recipe) is fitted on its runs of at most 1/8 of the largest compute, with 1/4 and 1/30 beside
it, by the code behind `sixnd fit` with its defaults; every larger run is held out, and the largest is the target. The
rules (`tests/benchmarks/published_series.py`, `published_proof.py`) were fixed before the first fit.

**The aim was a median error of at most 1 % and 95 % intervals that hold 90 to 98 %.** {verdict}
At 1/8 the median error of {series} targets is **{median}**. Of the {splits} targets of all splits the 95 % interval
holds **{inside}**, the 80 % interval {inside80}; before intervals learnt from a back-test it was {old} and {old80}.

With `--near 0.01`, which fits only runs within 1 % of the least loss at their compute, the median error at 1/8 is
**{near}**; its 95 % intervals hold {near_inside} of the targets of all splits. It is an option, not the default: it
leaves out runs, and the constants that others published are of all runs. The best plain baseline, E + A·C^-b through
the frontier of the same runs, has {frontier} at 1/8; it gives no interval, and says nothing of N and D.

The back-test and `--near` were made after a first look at these errors; the 1 %, and that the worst of the back-test's
three splits counts, were chosen by them. For these two the figures are no blind test.
"""

SWEEP = (
    "Only runs near the frontier (`--near`): median error of the target by the surface alone, over the series where "
    "enough runs are left."
)

WHY = """
## Why it misses, and what was mended

- **The form bends.** Porian's isoFLOP lines reach down to a hundredth of a token a parameter, to models whose training
  has hardly begun. The surface leaves 1 to 5 % there, in a pattern, and the fit is an L1 fit to all runs alike: the far
  ones pull E and the exponents. Small budgets lose most, so the curve falls steeply at first, E comes out too high, and
  most errors are positive. The frontier itself is smooth: a power law through it does better. Mended by
  `sixnd fit --near`.
- **Intervals spoke of the constants alone.** Draws and residuals take the form for true. Now the fit is repeated on its
  own smaller runs (1/4, 1/8, 1/16 of its compute), and what it misses of its own larger ones beyond its intervals is
  added to every interval outside the fitted range: `missed_per_decade` in a law, `back_tests` in its fit, a warning in
  words. Some intervals are now so wide that they tell little: a fit that bends by 20 % has no better.
- **Few runs cannot be tested so.** OLMo's ladder has 11 runs below 1/8, of four sizes: none of its own splits leaves
  eight to fit. arc_easy there is missed for it.
- **Chinchilla's largest point lies apart.** In a fit to all 240 points it is still 2.5 % below the surface, 7.6 times
  the median residual; no fit of the smaller ones can know.
- **7B and 13B of OLMo 2** are not of the ladder's recipe (see below); C4 loss is 3.8 % off, as in the authors' table.
"""

ALLOCATION = """
20 tokens a parameter knows no loss, so it is held against the N that the authors give for their largest budget
(Porian's own optima by series; for Chinchilla, approach 2 of Hoffmann et al., table A3).
"""

HOW = """
## How to do it again

<!-- not run: the published files are not in this repository -->
    python -m tests.benchmarks.published_proof FOLDER --write

FOLDER holds the authors' files as `published_series.py` names them; none is in this repository. The published files
that `sixnd fit` reads as they are, each fitted whole:

<!-- not run: the published files are not in this repository -->
    sixnd fit svg_extracted_data.csv -o law.yaml                                  # Chinchilla's points
    sixnd fit datablations_c4_fit182.csv --form data-constrained -o law.yaml      # Muennighoff's runs
    sixnd fit olmo_ladder_c4_loss.csv --columns N=N,D=D,L=c4_loss -o law.yaml     # OLMo's C4 loss

OLMo's task losses and Porian's points hold several series in one file: take the rows of one first. The loss of a
planned run is in `sixnd plan` (a spec with `law: law.yaml`) and in `sixnd allocate C --law law.yaml`.

`chinchilla` is version 0.2.0 of the PyPI package with its default loss, from 32 starts, at 1/8 only{package}.
"""
