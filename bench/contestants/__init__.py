"""One file a library: ``make(problem, threads, **options)`` gives its training step. Imported by workers only."""
