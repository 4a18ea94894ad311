"""The application factory: a page's routes on the foundation that every page shares."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import Depends, FastAPI
from prometheus_client import generate_latest
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from scripts.serve import admin
from scripts.serve.csrf import checker
from scripts.serve.errors import add_handlers
from scripts.serve.guard import Guard
from scripts.serve.pages import HERE
from scripts.serve.site import Site


def create_app(site: Site) -> FastAPI:
    """The application of a site. Views that are plain functions run in ``--threads`` threads, off the event loop."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = site.options.threads
        yield
        site.page.call("close", site)

    app = FastAPI(title=site.page.title, lifespan=lifespan, docs_url=None, redoc_url=None)  # their pages need a CDN
    app.state.site = site
    app.add_middleware(Guard, site=site)
    add_handlers(app, site)

    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, Any]:
        current = site.models.current
        return {"status": "ok", "page": site.page.name, "recipe": current.recipe, "run": current.run.name}

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return PlainTextResponse(generate_latest(site.metrics.registry), media_type="text/plain; version=0.0.4")

    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        return RedirectResponse("/static/icon.svg", 308)

    protected = [Depends(checker(site.secret))]  # every route: no page can forget it
    app.include_router(site.page.router(site), dependencies=protected)
    app.include_router(admin.router(site), dependencies=protected)
    for name, folder in ((site.page.name, site.page.folder / "static"), ("", HERE / "static")):
        if Path(folder).is_dir():
            app.mount(f"/static/{name}".rstrip("/"), StaticFiles(directory=folder))
    return app
