"""The command line: every command is a Python call."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from mdtheory.command.arguments import add_problem, part_from, problem_from, refuse_foreign
from mdtheory.command.measuring import measure_file, measurement_page, measurement_text
from mdtheory.command.phase import add_arguments, run
from mdtheory.command.report import Setting, describe_setting, summary, to_json, write_report
from mdtheory.command.tables import describe, solution_text
from mdtheory.foundation.errors import AssumptionError, CertificateError, SolverError, one_line
from mdtheory.foundation.version import __version__
from mdtheory.models import registry
from mdtheory.models.features.certificate import Certificate
from mdtheory.models.model import Model
from mdtheory.models.solving import options_of, solve


class _UsageError(Exception):
    """The command line cannot be understood."""


class _Parser(argparse.ArgumentParser):
    """A parser that leaves the reporting of errors to `main`."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 2 for bad input or a path that cannot be used, 1 for any other failure.

    Exit code 1: a solver fails, or a certificate does not hold. As of any program, 130 after Ctrl-C, and 141 without a word
    where the reader of its output has gone away.
    """
    try:
        arguments = _parser().parse_args(argv)
        code = _COMMANDS[arguments.command](arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("mdtheory: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Python flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (_UsageError, AssumptionError, OSError) as error:
        return _failed(error, 2)
    except (SolverError, CertificateError) as error:
        return _failed(error, 1)


def _report(arguments: argparse.Namespace) -> int:
    setting = Setting(
        noise=arguments.noise,
        slope=arguments.slope,
        weight_decay=arguments.weight_decay,
        feature_decay=arguments.feature_decay,
        noisy_feature_decay=arguments.noisy_feature_decay,
        nonnegative=arguments.nonnegative,
        spread=part_from(registry.model_called("md"), "spread", vars(arguments)),
        scaling=arguments.scaling,
    )
    network = arguments.features and measure_file(
        arguments.features, weight_decay=arguments.weight_decay, feature_decay=arguments.feature_decay
    )
    written = write_report(
        arguments.output, setting, lambda line: print(f"mdtheory: {line}", file=sys.stderr), network=network
    )
    if arguments.json:
        sys.stdout.write(to_json(describe_setting(setting), written.solutions))
    else:
        print(summary(written.solutions))
    return 0


def _solve(arguments: argparse.Namespace) -> int:
    model = registry.model_called(arguments.problem)
    problem: Any = problem_from(model, vars(arguments))
    solution = solve(
        problem,
        method=arguments.method,
        tolerance=arguments.tolerance,
        starts=arguments.starts,
        seed=arguments.seed,
        progress=_slow_progress() if "progress" in options_of(problem, arguments.method) else None,
    )
    if model.certificate is not None and arguments.certificate is not None:
        model.certificate(solution).save(arguments.certificate)
    record = describe(solution)
    print(json.dumps(record, indent=2, allow_nan=False) if arguments.json else solution_text(record))
    return 0


def _slow_progress() -> Callable[[str], None]:
    """Print lines to stderr once the work takes longer than a second, and at most one a second."""
    last = time.monotonic()

    def show(line: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 1.0:
            last = time.monotonic()
            print(f"mdtheory: {line}", file=sys.stderr)

    return show


def _verify(arguments: argparse.Namespace) -> int:
    proved = Certificate.load(arguments.file).verify(rigorous=arguments.rigorous)
    how = "in ball arithmetic" if arguments.rigorous else "in double precision"
    print(f"the optimum lies in [{proved.lower!r}, {proved.upper!r}]: verified {how}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from mdtheory.claims.ledger import check, rerun
    from mdtheory.claims.records import Report

    def progress(line: str) -> None:
        print(f"mdtheory: {line}", file=sys.stderr)

    if arguments.rerun is not None:
        different = rerun(Report.from_json(arguments.rerun.read_text(encoding="utf-8")), progress)
        print("\n".join(different) if different else "every certified row holds again")
        return 1 if different else 0
    if not arguments.claims and not arguments.all:
        raise _UsageError("name claims or files, or give --all; `mdtheory claims` lists the library")
    if arguments.claims and arguments.all:
        raise _UsageError("--all: leave out the names of claims")
    if arguments.resume and arguments.json is None:
        raise _UsageError("--resume: needs --json FILE, the report to go on with")
    try:
        report = check(
            *arguments.claims,
            level=arguments.level,
            samples=arguments.samples,
            seed=arguments.seed,
            mutants=arguments.mutants or arguments.mutants_per_kind is not None,
            mutants_per_kind=arguments.mutants_per_kind,
            quick=arguments.quick,
            jobs=arguments.jobs,
            json_file=arguments.json,
            resume=arguments.resume,
            progress=progress,
        )
    except KeyboardInterrupt:
        kept = f"; finished rows are in {arguments.json}, --resume goes on" if arguments.json else ""
        print(f"mdtheory: interrupted{kept}", file=sys.stderr)
        return 130
    if arguments.html is not None:
        from mdtheory.command.ledger_page import render

        arguments.html.write_text(render(report), encoding="utf-8")
    print(report)
    return report.exit_code


def _claims(arguments: argparse.Namespace) -> int:
    from mdtheory.claims.finding import library_topics

    topics = [topic for topic in library_topics() if arguments.topic in (None, topic.name)]
    if not topics:
        known = ", ".join(topic.name for topic in library_topics())
        raise _UsageError(f"--topic {arguments.topic}: must be one of {known}")
    if arguments.json:
        keys = ("id", "title", "statement", "derivation", "notes")
        records = [
            {"topic": topic.name, **{k: getattr(claim, k) for k in keys}, "expected": claim.expected.name}
            for topic in topics
            for claim in topic.claims
        ]
        print(json.dumps(records, indent=2))
        return 0
    width = max(len(claim.id) for topic in topics for claim in topic.claims)
    for index, topic in enumerate(topics):
        print(("\n" if index else "") + f"{topic.name}: {topic.title}")
        for claim in topic.claims:
            print(f"  {claim.id:<{width}}  {claim.expected.name:<9}  {claim.title}")
    return 0


def _phase(arguments: argparse.Namespace) -> int:
    model = registry.model_called(arguments.model)
    refuse_foreign(model, registry.MODELS, vars(arguments))
    try:
        print(run(arguments, model))
    except KeyboardInterrupt:
        print("mdtheory: interrupted; --resume goes on from the finished chunks", file=sys.stderr)
        return 130
    return 0


def _measure(arguments: argparse.Namespace) -> int:
    found = measure_file(
        arguments.file,
        smoothing=arguments.smoothing,
        weight_decay=arguments.weight_decay,
        feature_decay=arguments.feature_decay,
    )
    if arguments.output is not None:
        arguments.output.write_text(measurement_page(found, arguments.file.name), encoding="utf-8")
    print(found.to_json() if arguments.json else measurement_text(found))
    return 0


_COMMANDS = {
    "report": _report,
    "solve": _solve,
    "phase": _phase,
    "measure": _measure,
    "verify": _verify,
    "check": _check,
    "claims": _claims,
}


def _failed(error: Exception, code: int) -> int:
    if isinstance(error, OSError):
        error = Exception(f"{error.filename or 'output'}: {error.strerror or error}")
    print("mdtheory: error: " + one_line(str(error)), file=sys.stderr)
    return code


# ------------------------------------------------------------------------------ the parsers


def _parser() -> argparse.ArgumentParser:
    description = "Exact, certified solutions for neural collapse under label noise."
    parser = _Parser(prog="mdtheory", description=description, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"mdtheory {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    report = commands.add_parser("report", help="solve every loss, draw figures into a directory", allow_abbrev=False)
    _add_report(report)
    solving = commands.add_parser("solve", help="solve one problem", allow_abbrev=False)
    problems = solving.add_subparsers(dest="problem", required=True, metavar="PROBLEM", parser_class=_Parser)
    for model in registry.MODELS:
        _add_solve(problems.add_parser(model.name, help=model.title, allow_abbrev=False), model)
    phase = commands.add_parser("phase", help="draw a phase diagram", allow_abbrev=False)
    add_arguments(phase)
    add_problem(phase, registry.MODELS)
    _add_measure(commands.add_parser("measure", help="measure a trained network", allow_abbrev=False))
    verify = commands.add_parser("verify", help="check a saved certificate without a solver", allow_abbrev=False)
    verify.add_argument("file", metavar="FILE", type=Path, help="written by: mdtheory solve ufm --certificate FILE")
    verify.add_argument("--rigorous", action="store_true", help="prove the bounds in ball arithmetic")
    _add_check(commands.add_parser("check", help="prove, certify and attack claims", allow_abbrev=False))
    claims = commands.add_parser("claims", help="list the claims of the library", allow_abbrev=False)
    claims.add_argument("--json", action="store_true", help="print JSON")
    claims.add_argument("--topic", metavar="NAME", help="one topic only")
    return parser


def _add_measure(parser: argparse.ArgumentParser) -> None:
    arrays = "features, labels, true_labels, weights, and if there are any bias, test_features, test_labels"
    parser.add_argument("file", metavar="FILE", type=Path, help=f".npz file with the arrays {arrays}")
    parser.add_argument("--smoothing", type=float, metavar="X", default=0.0, help="of the cross-entropy (default: 0)")
    parser.add_argument("--weight-decay", type=float, metavar="X", help="of the classifier, times ||W||^2")
    parser.add_argument("--feature-decay", type=float, metavar="X", help="of the features, times the mean of ||h||^2")
    parser.add_argument(*("-o", "--output"), type=Path, metavar="FILE", help="write an HTML page")
    _add_json(parser)


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("claims", nargs="*", metavar="ID", help="id of a claim of the library, or a file of claims")
    parser.add_argument("--all", action="store_true", help="the whole library")
    parser.add_argument(
        "--level",
        choices=("symbolic", "sampled", "certified"),
        default="certified",
        help="proofs only, draws and certified optima only, or everything (default)",
    )
    parser.add_argument("--mutants", action="store_true", help="attack all mutants of every claim")
    parser.add_argument("--mutants-per-kind", type=int, metavar="K", help="attack at most K mutants of each kind")
    parser.add_argument("--samples", type=int, metavar="N", default=1000, help="draws for each claim (default: 1000)")
    parser.add_argument("--seed", type=int, metavar="S", default=0, help="seed of the draws (default: 0)")
    parser.add_argument("--jobs", type=int, metavar="N", default=1, help="processes (default: 1)")
    parser.add_argument("--quick", action="store_true", help="leave out boxes that take more than about a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON, after every claim")
    parser.add_argument("--resume", action="store_true", help="keep the finished rows of --json FILE")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the ledger as one HTML page")
    parser.add_argument("--rerun", type=Path, metavar="FILE", help="repeat the certified rows of a JSON report")


# The options of the report and its setting.
_REPORT = {
    "weight_decay": 5e-3,
    "feature_decay": 5e-3,
    "nonnegative": True,
    "noise": 0.1,
    "slope": 1.0,
    "spread": "sphere",
    "dim": 8,
    "scaling": "absolute",
    "noisy_feature_decay": 1e-4,
}


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        *("-o", "--output"),
        type=Path,
        metavar="DIR",
        default=Path("mdtheory-report"),
        help="directory of the report, created if need be (default: ./mdtheory-report)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--features", type=Path, metavar="FILE", help="a trained network too, arrays as for `measure`")
    add_problem(parser, [registry.model_called("md")], _REPORT)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_solve(parser: argparse.ArgumentParser, model: Model[Any]) -> None:
    add_problem(parser, [model])
    parser.add_argument("--method", choices=model.methods, default=model.methods[0], help="default: auto")
    _add_json(parser)
    parser.add_argument("--tolerance", type=float, metavar="X", help="relative duality gap to reach")
    parser.add_argument("--starts", type=int, metavar="K", help="local searches where the problem is not convex")
    parser.add_argument("--seed", type=int, metavar="S", help="seed of those searches (default: 0)")
    if model.certificate is not None:
        parser.add_argument(
            "--certificate", type=Path, metavar="FILE", help="save the bounds as JSON that `verify` checks"
        )
