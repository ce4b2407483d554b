"""A server in a process of its own: the service, or the page by hand. Says its port, and its CPU time for each line it reads."""

import socket
import sys
from threading import Thread
from time import process_time

import orjson
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.peer.clients_page import clients_page, connect
from models.database import Database
from server.log import configure_log
from server.service import make_service
from server.setting import load_settings


def by_hand(file: str) -> ASGIApp:
    """Returns an application that answers every request with the page made by hand."""
    connection = connect(file)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("Only HTTP is answered.")
        while (await receive()).get("more_body"):
            pass
        body = orjson.dumps({"data": clients_page(connection)})
        headers = [(b"content-type", b"application/graphql-response+json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def main(kind: str, file: str) -> None:
    """Serves until the standard input ends.

    Args:
        kind: ``hand`` for the page by hand, ``service``, or ``answering`` for the service without what it does by itself.
        file: the SQLite file, or for the service the address of any database.
    """
    configure_log("json", "warning")
    app = (
        by_hand(file)
        if kind == "hand"
        else make_service(load_settings(), Database(file if "://" in file else f"sqlite:///{file}"))
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            lifespan="off" if kind == "answering" else "auto",
            log_config=None,
            access_log=False,
        )
    )

    def answer() -> None:
        for _ in sys.stdin:
            print(process_time(), flush=True)
        server.should_exit = True

    print(listener.getsockname()[1], flush=True)
    Thread(target=answer, daemon=True).start()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
