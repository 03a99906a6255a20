"""A report on paper: the same page, printed by WeasyPrint."""

from sim import figures
from sim.errors import RefusedError

__all__ = ["pdf"]

REMEDY = 'pip install "chipcast[pdf]", or in the repository EXTRA=test,pdf ./go chipcast report, or print the HTML page'


def pdf(page: str) -> bytes:
    """A report's HTML as PDF, the same bytes for the same page. RefusedError: WeasyPrint is not installed."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:  # OSError: its libraries are missing
        problem = f"printing needs WeasyPrint, which cannot be loaded ({error})"
        raise RefusedError("report-pdf", problem, remedy=REMEDY) from error
    settled = figures.settled(page.encode()).decode()
    nothing = URLFetcher(allowed_protocols=(), fail_on_errors=True)
    printed: bytes = HTML(string=settled, url_fetcher=nothing).write_pdf(pdf_identifier=b"chipcast")
    return printed
