"""An independent high-precision reference for the tests.

Nothing here imports the package.  Everything is computed with mpmath from the primary definitions: a margin is the root
of the profile equation, a dilation is the root of the stationarity condition of the memorization-dilation problem with
the expectation over the spread done by quadrature.  The ``brute_force_*`` functions know no reduction at all: they
minimise the original problems in double precision from several starts.

Losses are tuples: ``("cross-entropy", alpha)``, ``("mse", alpha)``, ``("label-relaxation", alpha)``,
``("focal", gamma)``, ``("hinge",)``, ``("squared-hinge",)``.  Spreads are tuples: ``("sphere", d)``,
``("gaussian", d)``, ``("ball", d)``, ``("two-point", d)``.  Floats stand for their exact binary value.
"""

from functools import cache
from itertools import pairwise

import numpy as np
from mpmath import mp
from mpmath.calculus.quadrature import GaussLegendre
from scipy.optimize import minimize
from scipy.special import logsumexp, roots_hermite, roots_jacobi, xlogy

UFM_DPS = 60  # working digits of the unconstrained features model (50 are wanted)
MD_DPS = 40  # working digits of the memorization-dilation problem (25 are wanted)


# ----------------------------------------------------------------------------------------------------------------------
# The unconstrained features model
# ----------------------------------------------------------------------------------------------------------------------


def _xlogy(x, y):
    return mp.zero if x == 0 else x * mp.log(y)


def _profile(loss, N):
    """The loss and its derivative along the symmetric logits z = s (e_n - 1/N), as two functions of s >= 0.

    The softmax probability of the own class is p = e^s / (e^s + N - 1), that of all others together q = 1 - p, and
    dp/ds = p q.  The MSE logits have 1/N added, which is where a bias, or the optimal mean component, puts them.
    """
    name = loss[0]
    param = mp.mpf(loss[1]) if len(loss) > 1 else None

    def p(s):
        return 1 / (1 + (N - 1) * mp.exp(-s))

    def q(s):
        return (N - 1) / (mp.exp(s) + N - 1)

    if name == "cross-entropy":  # lse(z) - <y, z>, the own logit being s (N-1)/N and the logits summing to zero
        own = mp.mpf(N - 1) / N
        return (
            lambda s: mp.log(mp.exp(s) + N - 1) - s / N - (1 - param) * own * s,
            lambda s: param * own - q(s),
        )
    if name == "mse":  # 1/2 ||s (e_n - 1/N) - (1-alpha) (e_n - 1/N)||^2
        own = mp.mpf(N - 1) / N
        return lambda s: own * (s - (1 - param)) ** 2 / 2, lambda s: own * (s - (1 - param))
    if name == "label-relaxation":

        def value(s):
            if p(s) >= 1 - param:
                return mp.zero
            return _xlogy(1 - param, (1 - param) / p(s)) + _xlogy(param, param / q(s))

        return value, lambda s: min(mp.zero, param - q(s))  # d/ds: -(1-alpha) q + alpha p = alpha - q
    if name == "focal":

        def slope(s):
            return param * p(s) * q(s) ** param * mp.log(p(s)) - q(s) ** (param + 1)

        return lambda s: -(q(s) ** param) * mp.log(p(s)), slope
    if name == "hinge":
        return lambda s: max(mp.zero, 1 - s), lambda s: -mp.one if s < 1 else mp.zero
    if name == "squared-hinge":
        return lambda s: max(mp.zero, 1 - s) ** 2 / 2, lambda s: -max(mp.zero, 1 - s)
    raise ValueError(f"unknown loss {name!r}")


def _kappa(N, weight_decay, feature_decay, nonnegative, proportion=None):
    """The least decay per unit of margin.

    Free features: h_n = a (e_n - 1/N), W = c (I - J/N).  Nonnegative: h_n = a_n e_n, the same W.  With c a = s the
    decay lambda_W ||W||^2 + lambda_H sum_n pi_n ||h_n||^2 is least at 2 s sqrt(product of the two coefficients).
    With proportions (nonnegative) the column w_n = z_n / a_n and a_n belong to class n alone; per unit of pi_n.
    """
    lw, lh = mp.mpf(weight_decay), mp.mpf(feature_decay)
    column = mp.mpf(N - 1) / N  # ||e_n - 1/N||^2
    if proportion is not None:
        pi = mp.mpf(proportion)
        return 2 * mp.sqrt((lw * column) * (pi * lh)) / pi
    mean_square = mp.one if nonnegative else column
    return 2 * mp.sqrt((lw * N * column) * (lh * mean_square))


def _bisect(function, lo, hi, rel):
    """The sign change of an increasing function, by bisection down to a relative width."""
    while hi - lo > rel * hi:
        mid = (lo + hi) / 2
        if mid in (lo, hi):
            break
        if function(mid) < 0:
            lo = mid
        else:
            hi = mid
    return (lo + hi) / 2


def _increasing_root(function, lo):
    """The root above lo of an increasing function with function(lo) < 0."""
    step = mp.one
    while function(lo + step) < 0:
        step *= 2
    return _bisect(function, lo, lo + step, mp.mpf(10) ** (5 - mp.dps))


def _focal_inflection(gamma):
    """The p at which the focal profile turns from concave to convex, or None if it is convex throughout.

    f'' has the sign of gamma log p + 2 gamma + 1 - gamma^2 p log p / (1 - p), which increases with p.
    """
    if gamma == 0:
        return None
    return _bisect(
        lambda p: gamma * mp.log(p) + 2 * gamma + 1 - gamma**2 * p * mp.log(p) / (1 - p),
        mp.mpf(10) ** -400,
        1 - mp.mpf(10) ** -30,
        mp.mpf(10) ** (5 - mp.dps),
    )


def _margin(loss, N, kappa):
    """The global minimiser s >= 0 of f(s) + kappa s."""
    value, slope = _profile(loss, N)
    if loss[0] == "hinge":
        if kappa == 1:
            raise ValueError("every margin in [0, 1] is optimal")
        return mp.one if kappa < 1 else mp.zero

    def stationarity(s):
        return slope(s) + kappa

    start = mp.zero  # from here on the profile is convex
    if loss[0] == "focal":
        inflection = _focal_inflection(mp.mpf(loss[1]))
        if inflection is not None:
            start = max(start, mp.log((N - 1) * inflection / (1 - inflection)))
    if stationarity(start) >= 0:
        return mp.zero
    s = _increasing_root(stationarity, start)
    if start > 0 and value(s) + kappa * s >= value(mp.zero):
        return mp.zero  # concave at zero: the other candidate for the global minimum is s = 0
    return s


def _mse_kappa(loss, N, weight_decay, feature_decay, nonnegative, bias):
    """Without a bias the MSE logits keep a mean component and the features are those of the free setting."""
    return _kappa(N, weight_decay, feature_decay, nonnegative and (bias or loss[0] != "mse"))


@cache
def ufm_margin(loss, N, weight_decay, feature_decay, nonnegative, *, bias=False, class_weight=None):
    """The margin of the unconstrained features model, own logit minus any other; zero where collapsed.

    ``class_weight`` is the proportion of the class the margin is wanted for: nonnegative features, no bias, not MSE.
    """
    with mp.workdps(UFM_DPS):
        if class_weight is not None:
            if not nonnegative or bias or loss[0] == "mse":
                raise ValueError("class_weight needs nonnegative features, no bias and a loss other than MSE")
            return _margin(loss, N, _kappa(N, weight_decay, feature_decay, True, class_weight))
        return _margin(loss, N, _mse_kappa(loss, N, weight_decay, feature_decay, nonnegative, bias))


@cache
def ufm_objective(loss, N, weight_decay, feature_decay, nonnegative, *, bias=False):
    """The optimal value of the balanced unconstrained features model: loss plus decay."""
    with mp.workdps(UFM_DPS):
        kappa = _mse_kappa(loss, N, weight_decay, feature_decay, nonnegative, bias)
        value, _ = _profile(loss, N)
        s = mp.zero if loss[0] == "hinge" and kappa == 1 else _margin(loss, N, kappa)
        total = value(s) + kappa * s
        if loss[0] == "mse" and not bias:
            # the mean component B of Z = s (I - J/N) + B J/N: singular value B / sqrt(N) of Z / sqrt(N)
            cost = 2 * mp.sqrt(mp.mpf(weight_decay) * mp.mpf(feature_decay) / N)
            B = max(mp.zero, 1 - N * cost)
            total += (B - 1) ** 2 / (2 * mp.mpf(N)) + cost * B
        return total


# ----------------------------------------------------------------------------------------------------------------------
# The spread: quadrature rules for zeta, the coordinate of xi along h_1 - h_2
# ----------------------------------------------------------------------------------------------------------------------


def _density(spread):
    """zeta = place(x) with x >= 0 of the unnormalised density weight(x) on [0, end]; scale is the width of the bulk.

    Sphere: the density (1 - z^2)^((d-3)/2) of a coordinate, with z = sin x, is cos(x)^(d-2) and smooth.  Ball of radius
    R = sqrt((d+2)/d): (1 - (z/R)^2)^((d-1)/2), so cos(x)^d with z = R sin x.  Gaussian: variance 1/d.  What lies beyond
    21 scales has a relative weight below 1e-95.
    """
    kind, d = spread
    if kind == "gaussian":
        scale = 1 / mp.sqrt(d)
        return (lambda x: x), (lambda z: z), (lambda x: mp.exp(-d * x**2 / 2)), 21 * scale, scale
    if kind == "sphere":
        power, radius = d - 2, mp.one
    elif kind == "ball":
        power, radius = d, mp.sqrt(mp.mpf(d + 2) / d)
    else:
        raise ValueError(f"unknown spread {kind!r}")
    scale = 1 / mp.sqrt(max(power, 1))
    return (
        lambda x: radius * mp.sin(x),
        lambda z: mp.asin(z / radius) if z < radius else mp.inf,
        lambda x: mp.cos(x) ** power,
        min(mp.pi / 2, 21 * scale),
        scale,
    )


@cache
def _legendre(degree, prec):
    """Gauss-Legendre nodes on [-1, 1]: 3 * 2^(degree - 1) of them, good to prec bits."""
    with mp.workprec(prec):
        return GaussLegendre(mp).calc_nodes(degree, prec)


def _two_points(spread):
    kind, d = spread
    return kind == "two-point" or (kind == "sphere" and d == 1)


def _panels(breaks, end):
    inside = sorted(x for x in breaks if 0 < x < end)
    return list(zip([mp.zero, *inside], [*inside, end], strict=True))


@cache
def _mass(spread, dps):
    """The integral of the unnormalised density over zeta > 0."""
    with mp.workdps(dps):
        _, _, weight, end, scale = _density(spread)
        return mp.fsum(
            mp.quad(weight, panel, method="gauss-legendre")
            for panel in _panels([3 * scale * k for k in range(1, 7)], end)
        )


def _half_rule(spread, breaks, degree):
    """Nodes and weights (z, w) for zeta > 0: the w add up to 1/2.  ``breaks`` are the z to put panel ends at."""
    if _two_points(spread):
        return [(1 / mp.sqrt(spread[1]), mp.mpf(1) / 2)]
    place, inverse, weight, end, scale = _density(spread)
    cuts = [3 * scale * k for k in range(1, 7)] + [inverse(z) for z in breaks if z > 0]
    norm = 2 * _mass(spread, mp.dps)
    nodes = _legendre(degree, mp.prec)
    rule = []
    for a, b in _panels(cuts, end):
        centre, half = (a + b) / 2, (b - a) / 2
        rule += [(place(x), half * w * weight(x) / norm) for x, w in ((centre + half * y, w) for y, w in nodes)]
    return rule


# ----------------------------------------------------------------------------------------------------------------------
# The memorization-dilation problem
# ----------------------------------------------------------------------------------------------------------------------


def _binary(loss):
    """The loss of two classes as a function of t = z_own - z_other: value, derivative, kinks of the derivative."""
    name = loss[0]
    param = mp.mpf(loss[1]) if len(loss) > 1 else None
    if name == "cross-entropy":
        return (lambda t: mp.log1p(mp.exp(-t)) + param * t / 2), (lambda t: param / 2 - 1 / (1 + mp.exp(t))), []
    if name == "mse":  # two components, each off by (t - (1-alpha)) / 2
        return (lambda t: (t - (1 - param)) ** 2 / 4), (lambda t: (t - (1 - param)) / 2), []
    if name == "label-relaxation":  # own probability p = 1 / (1 + e^-t)
        entropy = -_xlogy(param, param) - _xlogy(1 - param, 1 - param)
        t_inf = mp.log((1 - param) / param) if param > 0 else mp.inf
        return (
            lambda t: mp.log1p(mp.exp(-t)) + param * t - entropy if t < t_inf else mp.zero,
            lambda t: min(mp.zero, param - 1 / (1 + mp.exp(t))),
            [t_inf] if param > 0 else [],
        )
    if name == "focal":

        def value(t):
            return mp.log1p(mp.exp(-t)) / (1 + mp.exp(t)) ** param

        def slope(t):
            q = 1 / (1 + mp.exp(t))
            return -(q**param) * (param * (1 - q) * mp.log1p(mp.exp(-t)) + q)

        return value, slope, []
    if name == "hinge":
        return (lambda t: max(mp.zero, 1 - t)), (lambda t: -mp.one if t < 1 else mp.zero), [mp.one]
    if name == "squared-hinge":
        return (lambda t: max(mp.zero, 1 - t) ** 2 / 2), (lambda t: -max(mp.zero, 1 - t)), [mp.one]
    raise ValueError(f"unknown loss {name!r}")


class _Configuration:
    """The collapsed configuration of two classes: h_n = a e_n (nonnegative) or a (e_n - 1/2) (free), W = c (I - J/2).

    For given s = c a the decay lambda_W ||W||^2 + lambda_H mean ||h_n||^2 fixes a and c.  Without a bias MSE adds the
    component along h_1 + h_2: margins s and sum of logits s0, each with its own balance between W and H.
    """

    def __init__(self, loss, weight_decay, feature_decay, nonnegative, bias):
        lw, lh = mp.mpf(weight_decay), mp.mpf(feature_decay)
        self.s = +ufm_margin(loss, 2, weight_decay, feature_decay, nonnegative, bias=bias)
        if self.s <= 0:
            raise ValueError("the configuration is collapsed")
        mean_square = mp.one if nonnegative and (bias or loss[0] != "mse") else mp.mpf(1) / 2
        # lambda_W c^2 = lambda_H a^2 mean_square at the optimum, c a = s
        a = mp.sqrt(self.s * mp.sqrt(lw / (lh * mean_square)))
        self.a, self.c = a, self.s / a
        self.D, self.kap = mp.sqrt(2) * self.a, mp.sqrt(2) * self.c
        self.m2 = a**2 / 2 if nonnegative else mp.zero
        self.s0 = self.kp = None
        if loss[0] == "mse" and not bias:
            # W m = (s0 / 2) (1, 1) with m = (h_1 + h_2) / 2: decay lambda_W kp^2 / 2 + lambda_H m2, kp |m| = s0, loss
            # (s0 - 1)^2 / 4; the least decay for given s0 is s0 sqrt(2 lambda_W lambda_H)
            self.s0 = max(mp.zero, 1 - 2 * mp.sqrt(2 * lw * lh))
            self.m2 = self.s0 * mp.sqrt(lw / (2 * lh))
            self.kp = self.s0 / mp.sqrt(self.m2)


def _spread_slope(slope, kinks, spread, s, width, degree):
    """E[zeta phi'(s + width zeta)] = E[zeta (phi'(s + width zeta) - phi'(s - width zeta)); zeta > 0].

    The softmax losses change around s = width zeta on the scale 1/width, and graded panels follow them there.
    """
    centre = s / width
    breaks = [centre] + [abs(kink - s) / width for kink in kinks]
    reach = 1
    while reach / width < max(centre, 25 / mp.sqrt(spread[1])):
        reach *= 2
        breaks += [centre + reach / width, centre - reach / width]
    rule = _half_rule(spread, breaks, degree)
    return mp.fsum(w * z * (slope(s + width * z) - slope(s - width * z)) for z, w in rule)


def _spread_value(value, kinks, spread, s, width):
    """E[phi(s + width zeta)]."""
    if width == 0:
        return value(s)
    centre = s / width
    breaks = [centre] + [abs(kink - s) / width for kink in kinks]
    reach = 1
    while reach / width < max(centre, 25 / mp.sqrt(spread[1])):
        reach *= 2
        breaks += [centre + reach / width, centre - reach / width]
    rule = _half_rule(spread, breaks, 4)
    return mp.fsum(w * (value(s + width * z) + value(s - width * z)) for z, w in rule)


def _bracketed_root(function, lo, f_lo, hi, f_hi):
    """A root inside a bracket (Anderson and Björck, every fourth step a bisection), verified by the signs around it."""
    tiny = mp.mpf(10) ** -20
    side = 0
    last = None
    for step in range(1, 200):
        x = (lo + hi) / 2 if step % 4 == 0 else (lo * f_hi - hi * f_lo) / (f_hi - f_lo)
        if not lo < x < hi:
            x = (lo + hi) / 2
        f = function(x)
        if f == 0:
            return x
        if (f > 0) == (f_hi > 0):
            factor = 1 - f / f_hi
            hi, f_hi = x, f
            if side == 1:
                f_lo *= factor if factor > 0 else mp.mpf(1) / 2
            side = 1
        else:
            factor = 1 - f / f_lo
            lo, f_lo = x, f
            if side == -1:
                f_hi *= factor if factor > 0 else mp.mpf(1) / 2
            side = -1
        if last is not None and abs(x - last) < tiny * x:
            below, above = function(x * (1 - 10 * tiny)), function(x * (1 + 10 * tiny))
            if (below > 0) != (above > 0):
                return x
        last = x
        if hi - lo < tiny * lo:
            return x
    raise RuntimeError("no convergence")


class _Path:
    """The stationary noisy features, labelled by one number tau > 0.

    min phi(t(u)) + lam ||u||^2 over the ball ||u - h_2|| <= rho, multiplier nu >= 0:

        lam u + nu (u - h_2) + phi'(t) (w_1 - w_2) / 2 = 0.

    Along w_1 - w_2 this is t (lam + nu) + nu s + (kap^2/2) phi'(t) = 0, so that nu follows from t without solving
    anything; across it u keeps the share nu / (lam + nu) of the class mean.  tau = t + s, except for the hinge, which
    stops at t = 1 until its subgradient has gone from -1 to 0.  Under u >= 0 (u = (x, y), h_2 = a e_2) the other
    coordinate y is put on zero when it would be negative: t = c x, lam x + nu x + phi'(t) c / 2 = 0.
    """

    def __init__(self, loss, conf, lam, nonnegative_noisy):
        self.loss, self.conf, self.lam, self.nonnegative_noisy = loss, conf, lam, nonnegative_noisy
        self.value, self.slope, self.kinks = _binary(loss)

    def noisy(self, tau):
        """t, rho, nu * rho and ||u||^2 at tau."""
        conf, lam = self.conf, self.lam
        if self.loss[0] == "hinge":
            w = min(tau, 1 + conf.s)
            t, v = w - conf.s, min(mp.zero, max(-mp.one, tau - conf.s - 2))
        else:
            w = tau
            t = w - conf.s
            v = self.slope(t)
        pull = max(mp.zero, -(lam * t + conf.kap**2 * v / 2))  # nu * w
        if self.nonnegative_noisy and pull * conf.a + v * conf.c * w / 2 < 0:
            x = t / conf.c
            nu = max(mp.zero, -(lam * t + conf.c**2 * v / 2)) / t
            rho = mp.sqrt(conf.a**2 + x**2)
            return t, rho, nu * rho, x**2
        share = lam * w / (lam * w + pull) if lam > 0 else mp.zero  # lam / (lam + nu)
        rho = mp.sqrt(share**2 * conf.m2 + (w / conf.kap) ** 2)
        force = mp.sqrt((share * pull / w) ** 2 * conf.m2 + (pull / conf.kap) ** 2)
        return t, rho, force, (t / conf.kap) ** 2 + (1 - share) ** 2 * conf.m2


@cache
def _md(loss, weight_decay, feature_decay, nonnegative, noise, slope, q, lam, spread, bias, nonnegative_noisy):
    conf = _Configuration(loss, weight_decay, feature_decay, nonnegative, bias)
    eta, lam = mp.mpf(noise), mp.mpf(lam)
    if eta <= 0 or slope <= 0:
        raise ValueError("noise and slope have to be positive")
    c = mp.mpf(slope) / conf.D ** mp.mpf(q)  # the constraint is eta rho <= c r
    if nonnegative_noisy and (not nonnegative or conf.kp is not None):
        raise ValueError("u >= 0 needs nonnegative features on the coordinate axes")
    if conf.kp is not None:
        return _md_mse(loss, conf, eta, lam, c, spread)
    path = _Path(loss, conf, lam, nonnegative_noisy)

    def excess(tau, degree=4):
        """F'(r)/c - 4 nu rho: the derivative of F(eta rho / c) + 2 eta g(rho) by rho, divided by eta."""
        _, rho, force, _ = path.noisy(tau)
        r = eta * rho / c
        dF = 2 * conf.kap * _spread_slope(path.slope, path.kinks, spread, conf.s, conf.kap * r, degree) + 4 * lam * r
        return dF / c - 4 * force

    def result(tau):
        t, rho, _, norm2 = path.noisy(tau)
        r = eta * rho / c
        width = conf.kap * r
        dF = 2 * conf.kap * _spread_slope(path.slope, path.kinks, spread, conf.s, width, 4) + 4 * lam * r
        clean = _spread_value(path.value, path.kinks, spread, conf.s, width)
        clean += lam * (conf.m2 + conf.D**2 / 4 + r**2)
        return _report(conf, r, rho, t, 2 * clean + 2 * eta * (path.value(t) + lam * norm2), dF / (4 * c * rho))

    if loss[0] == "focal":
        return min((result(tau) for tau in _all_roots(excess, conf.s)), key=lambda found: found["objective"])
    if loss[0] == "hinge":
        # the only loss with F'(0) > 0, as phi' jumps from -1 to 0 at s = 1: no memorisation at all may be optimal
        half_mean = mp.fsum(w * z for z, w in _half_rule(spread, [], 4))
        first = 2 * conf.kap * half_mean / c - 4 * path.noisy(mp.mpf(10) ** -60)[2]
        if lam == 0 and abs(first) < mp.mpf(10) ** -30 * conf.kap:
            raise ValueError("the minimiser is not unique")
        if first >= 0:
            norm2 = conf.m2 + conf.D**2 / 4
            objective = 2 * (path.value(conf.s) + lam * norm2) + 2 * eta * (path.value(-conf.s) + lam * norm2)
            return _report(conf, mp.zero, mp.zero, -conf.s, objective, mp.inf)
    lo = hi = conf.s
    f_lo = f_hi = excess(conf.s)
    while f_hi < 0:
        lo, f_lo = hi, f_hi
        hi *= 4
        f_hi = excess(hi)
    while f_lo > 0:
        hi, f_hi = lo, f_lo
        lo /= 4
        f_lo = excess(lo)
    return result(lo if f_lo == 0 else hi if f_hi == 0 else _bracketed_root(excess, lo, f_lo, hi, f_hi))


def _report(conf, r, rho, t, objective, nu):
    return {
        "dilation": r,
        "normalized_dilation": r / conf.D,
        "memorization": rho,
        "noisy_margin": t,
        "objective": objective,
        "D": conf.D,
        "kap": conf.kap,
        "s": conf.s,
        "nu": nu,
    }


def _all_roots(function, s):
    """Every stationary point of a problem that need not be convex: a scan, then refinement of each sign change."""
    points = [s * mp.mpf(2) ** k for k in range(-40, -4)] + [s * mp.mpf(k) / 16 for k in range(1, 33)]
    signs = []
    roots = []
    for x in points:
        signs.append((x, function(x, 3)))
    while signs[-1][1] < 0 or signs[-1][0] < 4 * s:
        x = signs[-1][0] * mp.mpf("1.25")
        signs.append((x, function(x, 3)))
    for (lo, coarse_lo), (hi, coarse_hi) in pairwise(signs):
        if (coarse_lo > 0) != (coarse_hi > 0):
            roots.append(_bracketed_root(function, lo, function(lo), hi, function(hi)))
    return roots


def _md_mse(loss, conf, eta, lam, c, spread):
    """MSE without a bias: everything is quadratic, so only second moments (1/d in each direction) matter.

    With u = x e_- + y e_+ along h_1 - h_2 and h_1 + h_2: t = kap x, sum of logits kp y, h_2 = (-D/2, |m|).
    """
    target = 1 - mp.mpf(loss[1])
    d = spread[1]
    m = mp.sqrt(conf.m2)
    # F(r) = 2 E[(t - target)^2 / 4 + (sg - 1)^2 / 4 + lam ||h||^2] = F(0) + r^2 * half
    half = 2 * (conf.kap**2 / mp.mpf(4 * d) + conf.kp**2 / mp.mpf(4 * d) + lam)
    # F'(r) / c = 4 nu rho with r = eta rho / c
    nu = eta * 2 * half / (4 * c**2)
    # stationarity of (kap x - target)^2/4 + (kp y - 1)^2/4 + lam (x^2 + y^2) + nu ((x + D/2)^2 + (y - |m|)^2)
    x = (conf.kap * target / 2 - nu * conf.D) / (conf.kap**2 / 2 + 2 * lam + 2 * nu)
    y = (conf.kp / 2 + 2 * nu * m) / (conf.kp**2 / 2 + 2 * lam + 2 * nu)
    rho = mp.sqrt((x + conf.D / 2) ** 2 + (y - m) ** 2)
    r = eta * rho / c
    F0 = 2 * ((conf.s - target) ** 2 / 4 + (conf.s0 - 1) ** 2 / 4 + lam * (conf.m2 + conf.D**2 / 4))
    g = (conf.kap * x - target) ** 2 / 4 + (conf.kp * y - 1) ** 2 / 4 + lam * (x**2 + y**2)
    return _report(conf, r, rho, conf.kap * x, F0 + half * r**2 + 2 * eta * g, nu)


def md(
    loss,
    weight_decay,
    feature_decay,
    nonnegative,
    *,
    noise,
    slope,
    q,
    lam,
    spread,
    bias=False,
    nonnegative_noisy=False,
):
    """The memorization-dilation problem of two classes, for its own collapsed configuration.

    Returns dilation r, normalized_dilation r/D, memorization rho, noisy_margin t, objective, D, kap, s and the
    multiplier nu (infinite where there is no memorisation).  The objective is the sum over both classes with every
    constant of the loss and of the decay lam.
    """
    with mp.workdps(MD_DPS):
        return dict(
            _md(loss, weight_decay, feature_decay, nonnegative, noise, slope, q, lam, spread, bias, nonnegative_noisy)
        )


@cache
def test_error(spread, nd):
    """P(zeta > 1 / (2 nd)), by integrating the density over the tail."""
    with mp.workdps(MD_DPS):
        x = 1 / (2 * mp.mpf(nd))
        if _two_points(spread):
            return mp.mpf(1) / 2 if x < 1 / mp.sqrt(spread[1]) else mp.zero
        _, inverse, weight, _, scale = _density(spread)
        start = inverse(x)
        if not mp.isfinite(start):
            return mp.zero
        end = mp.inf if spread[0] == "gaussian" else mp.pi / 2
        # the tail falls by a factor e over about this length
        decay = 1 / (spread[1] * (x if spread[0] == "gaussian" else mp.tan(start)) + 1 / scale)
        cuts = [start]
        while len(cuts) < 14 and start + decay * 2 ** len(cuts) < end:
            cuts.append(start + decay * 2 ** len(cuts))
        if mp.isfinite(end):
            cuts.append(end)
        top = weight(start)  # mp.quad stops at an absolute error
        return top * mp.quad(lambda y: weight(y) / top, cuts, method="gauss-legendre") / (2 * _mass(spread, mp.dps))


test_error.__test__ = False  # a function of the oracle, not a test


# ----------------------------------------------------------------------------------------------------------------------
# Brute force in double precision: the original problems, no reduction, no symmetry
# ----------------------------------------------------------------------------------------------------------------------


def _losses(loss, Z, own):
    """Loss of each column of the logits Z (classes x samples) and its gradient; own[k] is the label of column k."""
    N, K = Z.shape
    name = loss[0]
    param = loss[1] if len(loss) > 1 else None
    onehot = np.zeros((N, K))
    onehot[own, np.arange(K)] = 1.0
    if name in ("cross-entropy", "mse"):
        Y = (1 - param) * onehot + param / N
        if name == "mse":
            return 0.5 * np.sum((Z - Y) ** 2, axis=0), Z - Y
        lse = logsumexp(Z, axis=0)
        return lse - np.sum(Y * Z, axis=0), np.exp(Z - lse) - Y
    if name == "squared-hinge":
        if N != 2:
            raise ValueError("the maximum over the other classes is not smooth: two classes only")
        sign = 2 * onehot - 1
        gap = np.maximum(0.0, 1 - np.sum(sign * Z, axis=0))
        return gap**2 / 2, -gap * sign
    lse = logsumexp(Z, axis=0)
    P = np.exp(Z - lse)
    log_p = np.sum(onehot * Z, axis=0) - lse
    log_q = logsumexp(np.where(onehot > 0, -np.inf, Z), axis=0) - lse
    p, q = np.exp(log_p), np.exp(log_q)
    others = P * (1 - onehot) / q  # dp/dz = p q (onehot - others)
    if name == "label-relaxation":
        active = p < 1 - param
        value = -(1 - param) * log_p - param * log_q + xlogy(1 - param, 1 - param) + xlogy(param, param)
        return np.where(active, value, 0.0), np.where(active, p - (1 - param), 0.0) * (onehot - others)
    if name == "focal":
        return -(q**param) * log_p, (param * p * log_p * q**param - q ** (param + 1)) * (onehot - others)
    raise ValueError(f"no smooth loss {name!r}")


def brute_force_ufm(
    loss,
    N,
    weight_decay,
    feature_decay,
    nonnegative,
    *,
    bias=False,
    proportions=None,
    feature_dim=None,
    starts=10,
    seed=0,
):
    """Best objective (1) and its logits (N x N, one column per class) over (W, H[, b]) from random starts."""
    pi = np.full(N, 1 / N) if proportions is None else np.asarray(proportions, dtype=float)
    M = N if feature_dim is None else feature_dim
    rng = np.random.default_rng(seed)

    def split(x):
        return x[: N * M].reshape(N, M), x[N * M : 2 * N * M].reshape(M, N), x[2 * N * M :]

    def logits(x):
        W, H, b = split(x)
        return W @ H + (b[:, None] if bias else 0.0)

    def fun(x):
        W, H, _ = split(x)
        value, gradient = _losses(loss, logits(x), np.arange(N))
        G = gradient * pi
        total = pi @ (value + feature_decay * np.sum(H**2, axis=0)) + weight_decay * np.sum(W**2)
        parts = [(G @ H.T + 2 * weight_decay * W).ravel(), (W.T @ G + 2 * feature_decay * H * pi).ravel()]
        if bias:
            parts.append(G.sum(axis=1))
        return total, np.concatenate(parts)

    bounds = [(None, None)] * (N * M) + [(0.0 if nonnegative else None, None)] * (N * M) + [(None, None)] * (N * bias)
    best = None
    for _ in range(starts):
        scale = 10 ** rng.uniform(-0.5, 0.5)
        x0 = scale * rng.standard_normal(len(bounds))
        if nonnegative:
            x0[N * M : 2 * N * M] = np.abs(x0[N * M : 2 * N * M])
        options = {"maxiter": 20000, "maxfun": 40000, "maxcor": 30, "ftol": 1e-16, "gtol": 1e-11}
        found = minimize(fun, x0, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        if best is None or found.fun < best.fun:
            best = found
    return float(best.fun), logits(best.x)


def _double_rule(spread, n):
    """Gauss nodes and weights for zeta in double precision."""
    kind, d = spread
    if _two_points(spread):
        return np.array([-1.0, 1.0]) / np.sqrt(d), np.array([0.5, 0.5])
    if kind == "gaussian":
        x, w = roots_hermite(n)
        return x * np.sqrt(2 / d), w / w.sum()
    power, radius = ((d - 3) / 2, 1.0) if kind == "sphere" else ((d - 1) / 2, np.sqrt((d + 2) / d))
    x, w = roots_jacobi(n, power, power)
    return radius * x, w / w.sum()


def brute_force_md(
    loss,
    weight_decay,
    feature_decay,
    nonnegative,
    *,
    noise,
    slope,
    q,
    lam,
    spread,
    bias=False,
    nonnegative_noisy=False,
    starts=8,
    seed=0,
    nodes=200,
):
    """Best objective and dilation of problem (4) over u_1, u_2 in R^2 and r, for a smooth loss.

    Two-dimensional features: the sample h_n + r xi enters through zeta along h_1 - h_2 (Gauss quadrature) and, across
    it, through +-1/sqrt(d), which has the right second moment: only MSE without a bias sees that direction.
    """
    with mp.workdps(MD_DPS):
        conf = _Configuration(loss, weight_decay, feature_decay, nonnegative, bias)
        D, kap, m = float(conf.D), float(conf.kap), float(mp.sqrt(conf.m2))
        kp = float(conf.kp) if conf.kp is not None else 0.0
        a = float(conf.a)
    along, across = np.array([1.0, -1.0]) / np.sqrt(2), np.array([1.0, 1.0]) / np.sqrt(2)
    means = np.array([m * across + D / 2 * along, m * across - D / 2 * along])  # rows h_1, h_2
    W = np.array([kp / 2 * across + kap / 2 * along, kp / 2 * across - kap / 2 * along])
    offset = np.full(2, 0.5) if bias and loss[0] == "mse" else np.zeros(2)
    if nonnegative_noisy:
        assert nonnegative
        assert np.allclose(means, a * np.eye(2))
    zeta, weight = _double_rule(spread, nodes)
    sideways = 1 / np.sqrt(spread[1])
    shifts = np.concatenate(
        [np.outer(zeta, along) + sideways * across, np.outer(zeta, along) - sideways * across]
    )  # samples of xi
    weights = np.concatenate([weight, weight]) / 2
    moves = shifts @ W.T  # W xi

    def sample_loss(Z, n):
        """Losses and gradients of the rows of Z, all with label n."""
        value, gradient = _losses(loss, Z.T, np.full(len(Z), n))
        return value, gradient.T

    unit = noise * D**q / slope  # r in units that make the constraint R >= ||h_1 - u_2||

    def clean(r):
        total = derivative = 0.0
        for n in range(2):
            value, gradient = sample_loss(means[n] @ W.T + offset + r * moves, n)
            total += weights @ value + lam * (means[n] @ means[n] + r**2)
            derivative += weights @ np.sum(gradient * moves, axis=1) + 2 * lam * r
        return total, derivative

    base = clean(0.0)[0]

    def fun(x):
        u, R = x[:4].reshape(2, 2), x[4]
        total, derivative = clean(unit * R)
        total = (total - base) / noise
        grad = np.empty(5)
        grad[4] = derivative * unit / noise
        for n in range(2):
            value, gradient = sample_loss((W @ u[n] + offset)[None, :], n)
            total += value[0] + lam * u[n] @ u[n]
            grad[2 * n : 2 * n + 2] = gradient[0] @ W + 2 * lam * u[n]
        return total, grad

    def balls(x):
        u = x[:4].reshape(2, 2)
        return x[4] ** 2 - np.sum((u - means[::-1]) ** 2, axis=1)

    def balls_jac(x):
        u = x[:4].reshape(2, 2)
        jac = np.zeros((2, 5))
        jac[0, :2], jac[1, 2:4] = -2 * (u - means[::-1])
        jac[:, 4] = 2 * x[4]
        return jac

    low = 0.0 if nonnegative_noisy else None
    bounds = [(low, None)] * 4 + [(0.0, None)]
    rng = np.random.default_rng(seed)
    best = None
    for _ in range(starts):
        u0 = means[::-1] + D * rng.standard_normal((2, 2)) * 10 ** rng.uniform(-1, 0.5)
        if nonnegative_noisy:
            u0 = np.abs(u0)
        R0 = 1.1 * np.max(np.linalg.norm(u0 - means[::-1], axis=1))
        found = minimize(
            fun,
            np.append(u0.ravel(), R0),
            jac=True,
            method="SLSQP",
            bounds=bounds,
            constraints=[{"type": "ineq", "fun": balls, "jac": balls_jac}],
            options={"maxiter": 200, "ftol": 1e-14},
        )
        feasible = np.min(balls(found.x)) > -1e-9 * (1 + found.x[4] ** 2)
        if feasible and (best is None or found.fun < best.fun):
            best = found
    return float(base + noise * best.fun), float(unit * best.x[4])
