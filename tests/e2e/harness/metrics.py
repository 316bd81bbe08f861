"""Reads the text that Prometheus scrapes."""

import re

_SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """{(name, ((label, value), ...)): number}."""
    samples = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = _SAMPLE.match(line)
        assert match, f"no sample: {line}"
        labels = tuple(sorted(_LABEL.findall(match[2] or "")))
        key = (match[1], labels)
        assert key not in samples, f"twice: {line}"
        samples[key] = float(match[3])
    return samples


class Scrape:
    """One answer of /metrics."""

    def __init__(self, server):
        self.text = server.http_get("/metrics")
        self.samples = parse(self.text)

    def value(self, name, **labels):
        return self.samples.get((name, tuple(sorted(labels.items()))), 0.0)

    def total(self, name, **labels):
        """The sum over all samples of `name` that have `labels`."""
        wanted = set(labels.items())
        return sum(value for (sample, have), value in self.samples.items()
                   if sample == name and wanted <= set(have))

    def names(self):
        """Metric names; of a histogram without its suffix."""
        return {line.split()[2] for line in self.text.splitlines()
                if line.startswith("# TYPE ")}
