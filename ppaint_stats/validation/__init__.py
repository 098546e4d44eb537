"""Whether a fusion is an artefact: agreement of fusions, refits, and the prediction of judgments that were held out."""
