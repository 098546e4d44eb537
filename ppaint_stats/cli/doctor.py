"""``ppaint doctor``: what is installed, and what is slow here."""

import typer

from ppaint_stats.cli.frame import CHECK_FAILED, Json, Quiet, Screen, Verbose


def doctor(as_json: Json = False, quiet: Quiet = False, _verbose: Verbose = False) -> None:
    """Examine the installation: versions, cores, memory, compiled kernels, GPU.

    Exit status 1 means that something is missing. Example: [bold]ppaint doctor[/bold]
    """
    from ppaint_stats.doctor import examine_installation

    report = examine_installation()
    screen = Screen(quiet, as_json)
    screen.show(report)
    screen.emit(
        {
            "passed": report.passed,
            **{name: table.to_dict("records") for name, table in report.tables.items()},
        }
    )
    if not report.passed:
        raise typer.Exit(CHECK_FAILED)
