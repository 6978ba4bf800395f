# syntax=docker/dockerfile:1
# Two stages: the first builds a virtual environment, the second holds only that.
FROM python:3.12-slim AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY server ./server
COPY tools ./tools
COPY prompts ./prompts
COPY sandbox ./sandbox
ENV UV_PROJECT_ENVIRONMENT=/app UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
RUN uv sync --no-dev --no-editable --extra postgresql --extra otel

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 crm && install -d -o crm -g crm -m 700 /home/crm/.local/state
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# By number, so that a platform can see that it is not root.
USER 10001:10001
# All that is written: the state, unless DYNAMICS_STATE keeps it elsewhere, and descriptions of tables.
# The rest of the file system may be read-only, with a tmpfs at /tmp.
VOLUME /home/crm/.local/state
WORKDIR /home/crm
EXPOSE 8321
# Says that the process answers. Whether it can serve, /readyz says, and that is for whoever balances the load.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8321/healthz', timeout=3)"]
ENTRYPOINT ["dynamics-crm-mcp"]
# Listening beyond this machine is refused until callers are told apart: see docs/running.md.
CMD ["serve", "--transport", "http", "--host", "0.0.0.0"]
