"""Prints what was measured, and writes it as JSON."""

import dataclasses
import json
import os
import statistics

DECIMALS = {"s": 3, "ms": 2, "%": 1}  # none for other units


@dataclasses.dataclass
class Line:
    """One line of the table. `figures` has a number per run for each contender, or the reason why there is none."""

    label: str
    unit: str
    wanted: list = dataclasses.field(default_factory=list)  # (contender, at least this many times its figure)
    at_most: bool = dataclasses.field(default=False, kw_only=True)  # … or at most this many times
    limit: float | None = None  # at most this; then there is nothing to compare with
    figures: dict = dataclasses.field(default_factory=dict)
    note: str = ""

    def median(self, name):
        figures = self.figures.get(name)
        return statistics.median(figures) if isinstance(figures, list) and figures else None

    def ratio(self, name, other):
        mine, theirs = self.median(name), self.median(other)
        return mine / theirs if mine is not None and theirs else None

    def verdict(self, name):
        if any(isinstance(self.figures.get(each), str) for each in [name, *(other for other, _ in self.wanted)]):
            return "FAILED"
        if self.median(name) is None:
            return "skipped" if self.note else "-"
        if self.limit is not None:
            return "ok" if self.median(name) <= self.limit else "MISS"
        ratios = [(self.ratio(name, other), factor) for other, factor in self.wanted]
        if any(ratio is None for ratio, _ in ratios):
            return "-"
        return "ok" if all(ratio <= factor if self.at_most else ratio >= factor for ratio, factor in ratios) else "MISS"


def shown(figure, unit):
    if figure is None:
        return "-"
    number = f"{figure:,.{DECIMALS.get(unit, 0)}f}"
    return number + unit if unit.startswith("/") else f"{number} {unit}"


def spread(line, name):
    """Half of the way from the lowest to the highest run, as a part of the median."""
    figures = line.figures.get(name)
    if not isinstance(figures, list) or len(figures) < 2:
        return "-"
    return f"±{(max(figures) - min(figures)) / 2 / statistics.median(figures):.0%}"


def table(lines, subject, others):
    """The lines as text in columns. A server beside the two has its ratio to the first one wanted in brackets."""
    header = ["row", subject, *others, "ratio", "wanted", "", "spread"]
    rows = []
    for line in lines:
        cells = [line.label, shown(line.median(subject), line.unit)]
        marks = [other for other, _ in line.wanted]
        for other in others:
            ratio = line.ratio(other, marks[0]) if marks and other not in marks else None
            cells.append(shown(line.median(other), line.unit) + (f" ({ratio:.2f})" if ratio else ""))
        ratios = [line.ratio(subject, other) for other in marks]
        cells.append(" / ".join("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios) or "-")
        at_most = "-" if line.limit is None else f"≤ {shown(line.limit, line.unit)}"
        sign = "≤" if line.at_most else "≥"
        cells.append(" / ".join(f"{sign} {factor}" for _, factor in line.wanted) or at_most)
        cells.append(line.verdict(subject))
        cells.append(" ".join(spread(line, name) for name in [subject, *others]))
        rows.append(cells)
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    text = ["  ".join(cell.ljust(width) if index in (0, len(header) - 1) else cell.rjust(width)
                      for index, (cell, width) in enumerate(zip(cells, widths))).rstrip() for cells in [header, *rows]]
    text.insert(1, "-" * max(map(len, text)))
    return "\n".join(text)


def report(benchmark):
    options, lines = benchmark.options, benchmark.lines
    names = dict.fromkeys(name for line in lines for name in line.figures)
    others = [name for name in names if name != benchmark.subject]
    others.sort(key=lambda name: (not name.startswith("nginx"), name != "docker-registry"))
    marks = dict.fromkeys(" / ".join(other for other, _ in line.wanted if other in names) for line in lines)
    print(f"{os.cpu_count()} cores, medians of {options.runs} alternating runs, ratio of medians to"
          f" {', '.join(filter(None, marks)) or 'nothing'}")
    print(table(lines, benchmark.subject, others))
    for line in lines:
        for name, figures in line.figures.items():
            if isinstance(figures, str):
                print(f"{line.label}: {name}: {figures}")
        if line.note:
            print(f"{line.label}: {line.note}")
    if benchmark.busiest:
        print(f"wrk used at most {benchmark.busiest:.0%} of its threads"
              f"{': the driver may have been the limit' if benchmark.busiest > 0.9 else ''}")
    verdicts = {line.label: line.verdict(benchmark.subject) for line in lines}
    if options.json:
        content = [dataclasses.asdict(line) | {"verdict": verdicts[line.label]} for line in lines]
        settings = {"seed": options.seed, "runs": options.runs, "seconds": options.seconds, "cores": os.cpu_count(),
                    "large_driver": options.large_driver, "wrk_busy": benchmark.busiest}
        content = {"subject": benchmark.subject, **settings, "lines": content}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    failed = any(isinstance(figures, str) for line in lines for figures in line.figures.values())
    return 1 if failed or options.strict and "MISS" in verdicts.values() else 0
