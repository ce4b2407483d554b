"""The page that a link opens: it says what the link is and what to do with it, and does nothing itself.

The link's token stands behind the ``#``, which browsers do not send: neither this service nor a mail scanner that opens the link
learns it, and opening it changes nothing (P07).
"""

import base64
import hashlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.setting import LINK_PATH

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}"
    "code{background:#eee;padding:.1em .3em}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#1b1b1b}code{background:#333}a{color:#9cf}}"
)

PAGE = f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Access link</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>This is an access link</h1>
<p>Somebody from an agency asks you to let them work in your account, or to confirm that you work together.
Opening this page has changed nothing, and tells nobody that you were here: you decide.</p>
<ol>
<li>Copy the part of this page’s address that follows the <code>#</code>. It is the link’s token.</li>
<li>Open <a href="/graphql">GraphiQL</a> and sign in there with your API token.</li>
<li>Run the operation <code>accessLink</code> with the link’s token as <code>token</code>.
It shows who asks, for whom, and for what.</li>
<li>Then approve or decline: with <code>approveAccessLink</code> or <code>declineAccessLink</code>,
or with <code>confirmRelationship</code> where it says <code>CONFIRMATION_LINK</code>.</li>
</ol>
<p>Whoever may add and edit users in your account can answer. If you did not expect this, do nothing,
and pass the link on to nobody.</p>
</main>
</body>
</html>
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def link_page(_request: Request) -> Response:
    """Returns the page, the same for every link."""
    return Response(PAGE, media_type="text/html; charset=utf-8", headers=HEADERS)


def link_route() -> Route:
    """Returns the route of the page, for reading only."""
    return Route(LINK_PATH, link_page, methods=["GET"])
