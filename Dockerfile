# syntax=docker/dockerfile:1
# Two stages: the first builds a virtual environment, the second holds only that.
FROM python:3.12-slim AS build
RUN pip install --no-cache-dir uv
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY server ./server
COPY tools ./tools
COPY prompts ./prompts
COPY sandbox ./sandbox
ENV UV_PROJECT_ENVIRONMENT=/app UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
RUN uv sync --no-dev --no-editable --extra postgresql

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 crm && install -d -o crm -g crm -m 700 /home/crm/.local/state
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER crm
# The journal and the audit; mount it to keep them, or set DYNAMICS_STATE.
VOLUME /home/crm/.local/state
WORKDIR /home/crm
# The settings and the policy can be read, and the package imports. The transport is stdio, so there is no port to ask.
HEALTHCHECK --interval=60s --timeout=20s --start-period=5s --retries=3 CMD ["dynamics-crm-mcp", "policy", "show"]
ENTRYPOINT ["dynamics-crm-mcp"]
CMD ["serve", "--transport", "stdio"]
