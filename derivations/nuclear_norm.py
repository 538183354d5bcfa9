"""Weight decay on two factors is a nuclear norm on their product.

Theorem. Let lW, lH > 0 and mu = sqrt(lW lH), let pi_n > 0 be class proportions, Dpi = diag(sqrt pi), and let Z be any
matrix of logits, one column per class. Over all W (with M columns) and H (with M rows) such that W H = Z,

    lW ||W||^2 + lH sum_n pi_n ||h_n||^2  >=  2 mu ||Z Dpi||_*  ,

and when M >= rank Z the minimum is attained, with the singular value decomposition Z Dpi = U S V', at

    W = (lH/lW)^(1/4) U S^(1/2),      H Dpi = (lW/lH)^(1/4) S^(1/2) V'          (padded with zeros up to M).

Hence the unconstrained features model, minimised over W and H, is the convex problem in the logits

    min_Z  sum_n pi_n loss(z_n, y_n) + 2 mu ||Z Dpi||_*                     (convex when the loss is).

Several samples per class change nothing: for fixed W the samples decouple, so a class may put all its samples at one
best point; if the loss is convex and lH > 0 the objective is strictly convex in each sample, so it must.

Proof. Put A = W and B = H Dpi, so that A B = Z Dpi = U S V' and sum_n pi_n ||h_n||^2 = ||B||^2. The gap between the two
sides is a sum of squares (step 1 below), which is the inequality; the stated factors make every square vanish (step 2).
The condition M >= rank Z is necessary, since rank(W H) <= M.

The squares live in matrices of arbitrary size. The identities are therefore checked in the free algebra of matrix
words: a word is a product of letters and transposed letters, the only rules are U'U = I and V'V = I, and two words
have the same trace if they agree up to rotation and transposition. An identity between such words holds in every
dimension.
"""

import sympy as sp
from _check import identity, nonnegative

PROVES = {
    "nuclear-norm-of-weight-decay": {
        "hypotheses": ("free features", "enough features"),
        "assumptions": ("weight_decay > 0", "feature_decay > 0", "t_11 > 0", "t_22 > 0"),
        "conclusion": (
            "cost >= least",
            "least == 2*sqrt(feature_decay)*sqrt(weight_decay)*sqrt(2*sqrt(pi_1)*sqrt(pi_2)*Abs(z_11*z_22 - z_12*z_21) + pi_1*(z_11**2 + z_21**2) + pi_2*(z_12**2 + z_22**2))",
            "first == sqrt(pi_1)*z_11",
            "second == sqrt(pi_2)*z_12",
        ),
        "quantities": {
            "cost": "explicit factors, by rotations in balls",
            "least": "explicit factors, by rotations in balls",
            "first": "explicit factors, by rotations in balls",
            "second": "explicit factors, by rotations in balls",
        },
    },
}

LETTERS = {name: sp.Symbol(name, commutative=False) for name in ("A", "B", "U", "V", "R", "A'", "B'", "U'", "V'")}
A, B, U, V, R, At, Bt, Ut, Vt = LETTERS.values()
TRANSPOSE = {A: At, At: A, B: Bt, Bt: B, U: Ut, Ut: U, V: Vt, Vt: V, R: R}
root_w, root_h = sp.symbols("sqrt_lW sqrt_lH", positive=True)
mu = root_w * root_h


def main() -> None:
    """Run every step."""
    gap_is_a_sum_of_squares()
    factors_attain_the_bound()
    samples_of_a_class_collapse()


def gap_is_a_sum_of_squares() -> None:
    """Step 1. Left side minus right side is a sum of three squared norms.

    ||Z Dpi||_* = tr S = tr(U' A B V), because U' (U S V') V = S. With the projectors U U' and V V',

        lW ||A||^2 + lH ||B||^2 - 2 mu tr(U'ABV)
            = || sqrt(lW) A'U - sqrt(lH) B V ||^2 + lW || (I - UU') A ||^2 + lH || B (I - VV') ||^2  >=  0.

    So every minimiser has sqrt(lW) A'U = sqrt(lH) B V and lives on the ranges of U and V.
    """
    spectrum = R * R  # S = R R with R = S^(1/2), diagonal and so symmetric
    identity("||Z Dpi||_* = tr(U' Z Dpi V)", trace(Ut * (U * spectrum * Vt) * V), trace(spectrum))
    gap = root_w**2 * trace(At * A) + root_h**2 * trace(Bt * B) - 2 * mu * trace(Ut * A * B * V)  # claim
    mixed, outside_u, outside_v = root_w * At * U - root_h * B * V, A - U * Ut * A, B - B * V * Vt  # claim
    squares = squared_norm(mixed) + root_w**2 * squared_norm(outside_u) + root_h**2 * squared_norm(outside_v)
    identity("cost minus nuclear norm is a sum of squares", gap, squares)


def factors_attain_the_bound() -> None:
    """Step 2. The recovery formulas multiply to Z Dpi, cost exactly 2 mu tr S, and are balanced.

    Balanced means lW W'W = lH (H Dpi)(H Dpi)', which every minimiser satisfies.
    """
    scale = sp.sqrt(root_h / root_w)
    w, wt = scale * U * R, scale * R * Ut
    h, ht = R * Vt / scale, V * R / scale
    identity("W H Dpi = U S V'", reduce_words(w * h), U * R * R * Vt)
    cost = root_w**2 * trace(wt * w) + root_h**2 * trace(ht * h)
    identity("the factors cost 2 mu ||Z Dpi||_*", cost, 2 * mu * trace(R * R))
    identity("the factors are balanced", reduce_words(root_w**2 * wt * w - root_h**2 * h * ht))  # claim


def samples_of_a_class_collapse() -> None:
    """Step 3. Samples: replacing a class by its mean keeps the mean logits and lowers the decay by the variance.

    mean_k ||h_k||^2 = ||mean||^2 + mean_k ||h_k - mean||^2, and a convex loss does not rise (Jensen). The identity is
    polynomial in each coordinate, so checking it for one coordinate and a number of samples is checking it for all
    coordinates; it is written here for five samples and is the usual decomposition of variance for any number.
    """
    samples = sp.symbols("h1:6", real=True)
    mean = sum(samples) / 5
    spread = sum((h - mean) ** 2 for h in samples) / 5
    identity("mean of squares = square of mean + variance", sum(h**2 for h in samples) / 5, mean**2 + spread)  # claim
    nonnegative("variance", spread)
    proportions, features = sp.symbols("pi1:4", positive=True), sp.symbols("g1:4", real=True)
    scaled = sp.Matrix([features]) * sp.diag(*map(sp.sqrt, proportions))
    weighted = sum(p * h**2 for p, h in zip(proportions, features, strict=True))
    identity("sum pi_n h_n^2 = ||H Dpi||^2", weighted, (scaled * scaled.T)[0])


def squared_norm(expression):
    """||X||^2 = tr(X'X)."""
    return trace(transpose(expression) * expression)


def transpose(expression):
    """Reverse every word and transpose its letters."""
    return sum(scalar * sp.Mul(*(TRANSPOSE[x] for x in reversed(word))) for scalar, word in words(expression))


def reduce_words(expression):
    """Apply U'U = I and V'V = I."""
    return sp.expand(sum(scalar * sp.Mul(*contract(word)) for scalar, word in words(expression)))


def trace(expression):
    """The trace, as a linear combination of commuting symbols, one per class of words."""
    total = sp.Integer(0)
    for scalar, word in words(expression):
        letters = contract(word)
        while len(letters) > 1 and (letters[-1], letters[0]) in ((Ut, U), (Vt, V)):
            letters = letters[1:-1]
        flipped = [TRANSPOSE[x] for x in reversed(letters)]
        turns = [w[i:] + w[:i] for w in (letters, flipped) for i in range(len(w) or 1)]
        total += scalar * sp.Symbol("tr(" + min(" ".join(map(str, turn)) for turn in turns) + ")", real=True)
    return total


def words(expression):
    """Split into (scalar, list of letters), one entry per term."""
    for term in sp.Add.make_args(sp.expand(expression)):
        scalars, letters = term.args_cnc()
        flat = [base for x in letters for base, power in [x.as_base_exp()] for _ in range(int(power))]
        yield sp.Mul(*scalars), flat


def contract(word):
    """Delete every adjacent U'U and V'V."""
    kept: list = []
    for letter in word:
        if kept and (kept[-1], letter) in ((Ut, U), (Vt, V)):
            kept.pop()
        else:
            kept.append(letter)
    return kept


if __name__ == "__main__":
    main()
