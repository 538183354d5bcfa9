"""The precision of ball arithmetic is one global number: nobody changes it for anybody else, whatever threads do."""

import threading
from concurrent.futures import ThreadPoolExecutor

import flint
import numpy as np

import mdtheory as mdt
from mdtheory.numerics.ball_precision import precision


def test_interleaved_users_have_their_bits_and_leave_none_behind():
    before = flint.ctx.prec
    first, second = precision(128), precision(300)
    first.__enter__()
    assert flint.ctx.prec == 128
    second.__enter__()
    assert flint.ctx.prec == 300
    first.__exit__(None, None, None)
    assert flint.ctx.prec >= 300
    second.__exit__(None, None, None)
    assert flint.ctx.prec == before


def test_nested_users_and_errors_restore_what_was_there():
    before = flint.ctx.prec
    with precision(200):
        try:
            with precision(400):
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        assert flint.ctx.prec == 200
    assert flint.ctx.prec == before


def test_concurrent_proofs_succeed_and_leave_the_precision_as_it_was():
    lam = 0.01
    ufm = mdt.UFM(
        mdt.CrossEntropy(), num_classes=3, weight_decay=lam, feature_decay=lam, class_weights=np.array([0.5, 0.3, 0.2])
    )
    certificate = mdt.solve(ufm).certificate
    expected, before = certificate.verify(rigorous=True), flint.ctx.prec
    barrier, seen = threading.Barrier(4), []

    def prove(count):
        barrier.wait()
        for i in range(20):
            with precision(90 + 40 * ((count + i) % 3)):
                assert certificate.verify(rigorous=True) == expected
                seen.append(flint.ctx.prec)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prove, range(4)))
    assert min(seen) >= 90
    assert flint.ctx.prec == before
