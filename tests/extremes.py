"""An independent solution of the memorization-dilation problem at extreme parameters, with mpmath.

Nothing here imports the package. The multiplier nu of the ball is the root of ``nu = eta c^2 F'(r)/(4 r)``, sought in
``log nu``; the spread is two points, so that expectations are sums. Losses are tuples as in `oracle`.
"""

from mpmath import mp

DIGITS = 60


def _loss(loss):
    """phi, phi', phi'' for two classes, and the margin s for a cost kappa of a unit of margin."""
    name, a = loss[0], mp.mpf(loss[1]) if len(loss) > 1 else mp.zero
    if name == "cross-entropy":

        def logistic(t):
            return 1 / (1 + mp.exp(t))

        return (
            lambda t: mp.log1p(mp.exp(-t)) + a * t / 2,
            lambda t: a / 2 - logistic(t),
            lambda t: logistic(t) * logistic(-t),
            lambda k: mp.log((1 - k - a / 2) / (k + a / 2)),
        )
    if name == "mse":
        return (
            lambda t: (t - 1 + a) ** 2 / 4,
            lambda t: (t - 1 + a) / 2,
            lambda t: mp.mpf(1) / 2,
            lambda k: 1 - a - 2 * k,
        )
    if name == "squared-hinge":
        return (
            lambda t: max(1 - t, mp.zero) ** 2 / 2,
            lambda t: -max(1 - t, mp.zero),
            lambda t: mp.one if t < 1 else mp.zero,
            lambda k: 1 - k,
        )
    assert name == "label-relaxation"
    top = mp.log((1 - a) / a)
    entropy = -a * mp.log(a) - (1 - a) * mp.log(1 - a)
    return (
        lambda t: mp.log1p(mp.exp(-t)) + a * t - entropy if t < top else mp.zero,
        lambda t: a - 1 / (1 + mp.exp(t)) if t < top else mp.zero,
        lambda t: 1 / (1 + mp.exp(t)) / (1 + mp.exp(-t)) if t < top else mp.zero,
        lambda k: mp.log((1 - k - a) / (k + a)),
    )


def root(function, low, high, digits=30):
    """The sign change of an increasing function between low and high: false position, secured by halving."""
    f_low, f_high = function(low), function(high)
    for step in range(4000):
        middle = (low + high) / 2
        if high - low <= mp.mpf(10) ** -digits * max(abs(middle), mp.mpf(10) ** -digits) or f_low >= 0 or f_high <= 0:
            break
        if step % 3 != 2:
            secant = (low * f_high - high * f_low) / (f_high - f_low)
            middle = secant if low < secant < high else middle
        value = function(middle)
        if value < 0:
            low, f_low, f_high = middle, value, f_high / 2
        else:
            high, f_high, f_low = middle, value, f_low / 2
    return low if f_low >= 0 else high if f_high <= 0 else (low + high) / 2


def solve(loss, weight_decay, feature_decay, nonnegative, *, noise, slope, q, lam, dim, cone=False):
    """r, ND, rho, t and the objective on the spread ``+-1/sqrt(dim)``; the squared error with a bias."""
    with mp.workdps(DIGITS):
        value, first, second, margin = _loss(loss)
        wd, fd, eta, slope, lam = (mp.mpf(x) for x in (weight_decay, feature_decay, noise, slope, lam))
        s = margin(2 * mp.sqrt(wd * fd) * (1 if nonnegative else mp.sqrt(mp.mpf(1) / 2)))
        a = mp.sqrt(s * mp.sqrt(wd / fd * (1 if nonnegative else 2)))
        kap, distance, centre = mp.sqrt(2) * s / a, mp.sqrt(2) * a, a / mp.sqrt(2) if nonnegative else mp.zero
        c, zeta = distance**q / slope, 1 / mp.sqrt(dim)

        def displaced(offset, step, start):
            """w > 0 with w = offset - step phi'(w - start)."""
            # In the logarithm of w, so that a w of 1e-300 keeps its digits.
            most = offset - step * first(-start)

            def excess(y):
                return 1 - (offset - step * first(mp.exp(y) - start)) / mp.exp(y)

            return mp.exp(root(excess, mp.log(most) - 6000, mp.log(most)))

        def feature(nu):
            total = lam + nu
            w = displaced(lam / total * s, kap**2 / 2 / total, s)
            t, level = w - s, centre * nu / total
            if cone and level < t / kap:
                t = displaced(mp.zero, kap**2 / 4 / total, mp.zero)
                return mp.sqrt(distance**2 / 2 + 2 * t**2 / kap**2), t, t / kap
            return mp.sqrt((w / kap) ** 2 + (lam / total * centre) ** 2), t, level

        def stiffness(scale):
            z = scale * zeta
            if z < mp.mpf(10) ** -(DIGITS // 2 - 3):
                return kap**2 / 2 * second(s) * zeta**2 + lam
            return kap**2 / 2 * zeta * (first(s + z) - first(s - z)) / 2 / scale + lam

        def excess(y):
            rho = feature(mp.exp(y))[0]
            return y - mp.log(eta * c**2) - mp.log(stiffness(kap * eta * c * rho))

        middle = mp.log(eta * c**2 * stiffness(mp.zero))
        rho, t, level = feature(mp.exp(root(excess, middle - 60, middle + 60)))
        r = eta * c * rho
        clean = value(s + kap * r * zeta) + value(s - kap * r * zeta) + 2 * lam * (distance**2 / 4 + centre**2 + r**2)
        noisy = value(t) + lam * ((t / kap) ** 2 + level**2)
        return {"r": r, "nd": r / distance, "rho": rho, "t": t, "s": s, "objective": clean + 2 * eta * noisy}
