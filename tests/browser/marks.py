"""What several tests of this folder look for."""

READY = "() => !document.querySelector('[data-testid=stSpinner], [data-stale=true], [data-testid=stSkeleton]')"
NASTY = "<img src=x onerror=alert(1)>"
"""The name of the seventh class of the checkpoint `nasty`."""
