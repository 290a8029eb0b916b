"""Serves the hand-written peer on the port PEER_PORT, with uvicorn as the other peers."""

import os
import socket

import uvicorn
from starlette.applications import Starlette

from benchmarks.peers import hand_written, hand_written_post, hand_written_topics

if __name__ == "__main__":
    routes = [*hand_written_post.ROUTES, *hand_written.ROUTES, *hand_written_topics.ROUTES]
    app = Starlette(routes=routes, lifespan=hand_written.connect)
    listening = socket.create_server(("127.0.0.1", int(os.environ["PEER_PORT"])), backlog=2048)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])
