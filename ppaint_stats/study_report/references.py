"""Works that the methods rest on; a report lists those that it used."""

REFERENCES = {
    "bradley": "Bradley, R. A., & Terry, M. E. (1952). Rank analysis of incomplete block designs: I. The method of "
    "paired comparisons. Biometrika 39, 324-345.",
    "brennan": "Brennan, R. L. (2001). Generalizability theory. Springer.",
    "davidson": "Davidson, R. R. (1970). On extending the Bradley-Terry model to accommodate ties in paired comparison "
    "experiments. Journal of the American Statistical Association 65, 317-328.",
    "efron": "Efron, B., & Stein, C. (1981). The jackknife estimate of variance. Annals of Statistics 9, 586-596.",
    "elo": "Elo, A. E. (1978). The rating of chessplayers, past and present. Arco.",
    "hoffman": "Hoffman, M. D., & Gelman, A. (2014). The No-U-Turn sampler: adaptively setting path lengths in "
    "Hamiltonian Monte Carlo. Journal of Machine Learning Research 15, 1593-1623.",
    "kendall": "Kendall, M. G., & Babington Smith, B. (1940). On the method of paired comparisons. Biometrika 31, "
    "324-345.",
    "kottner": "Kottner, J., et al. (2011). Guidelines for Reporting Reliability and Agreement Studies (GRRAS) were "
    "proposed. Journal of Clinical Epidemiology 64, 96-106.",
    "krippendorff": "Krippendorff, K. (2011). Computing Krippendorff's alpha-reliability. University of Pennsylvania.",
    "mccullagh": "McCullagh, P. (1980). Regression models for ordinal data. Journal of the Royal Statistical Society "
    "B 42, 109-142.",
    "mcgraw": "McGraw, K. O., & Wong, S. P. (1996). Forming inferences about some intraclass correlation coefficients. "
    "Psychological Methods 1, 30-46.",
    "owen": "Owen, A. B. (2007). The pigeonhole bootstrap. Annals of Applied Statistics 1, 386-411.",
    "perez": "Perez-Ortiz, M., et al. (2019). From pairwise comparisons and rating to a unified quality scale. IEEE "
    "Transactions on Image Processing 29, 1139-1151.",
    "vehtari": "Vehtari, A., Gelman, A., Simpson, D., Carpenter, B., & Bürkner, P.-C. (2021). Rank-normalization, "
    "folding, and localization: an improved R-hat for assessing convergence of MCMC. Bayesian Analysis 16, 667-718.",
}
"""By a short name, alphabetically."""
