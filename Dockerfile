# syntax=docker/dockerfile:1.7
# One image for all processes: web, worker and bot differ by their command alone.
#   docker build --build-arg REVISION=$(git rev-parse HEAD) -t nproxy .

FROM rust:1.95-bookworm AS build
# Optimising across all crates takes some 4 GB. With LTO=off a small machine builds the same program, half as large again.
ARG LTO=fat
ENV CARGO_PROFILE_RELEASE_LTO=$LTO
WORKDIR /src
COPY . .
# The registry and the compiled dependencies outlive a build, so that the next one takes a minute.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin nproxy && cp target/release/nproxy /nproxy

# Of Debian's newest: its pg_dump is of PostgreSQL 17, and copies servers up to that.
FROM debian:trixie-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="nproxy" \
      org.opencontainers.image.description="A web studio where people make pictures in a chat" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="MIT"

# Certificates for mail, S3, providers and a Redis behind TLS; pg_dump and pg_restore for backups. Their version is Debian's
# newest, on purpose.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /app --shell /usr/sbin/nologin nproxy \
    && install -d -o nproxy -g nproxy /storage /backups /landing

WORKDIR /app
COPY --from=build /nproxy /usr/local/bin/nproxy
COPY config config
COPY assets/static assets/static
COPY assets/views assets/views
COPY assets/landing assets/landing
# What ONCE and its like call around a copy of /storage.
COPY hooks /hooks

# Everything that lasts is in /storage, as long as no other place is named. glibc gives back what decoding pictures has freed
# only under its three settings (README.md).
ENV LOCO_ENV=production \
    PORT=5150 \
    DATABASE_URL=sqlite:///storage/nproxy.sqlite3?mode=rwc \
    STORAGE_DIR=/storage/files \
    MALLOC_ARENA_MAX=2 \
    MALLOC_MMAP_THRESHOLD_=262144 \
    MALLOC_TRIM_THRESHOLD_=262144

USER 10001:10001
VOLUME /storage
EXPOSE 5150
# Every process answers /up on its port, also one that only runs jobs.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["nproxy", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["nproxy"]
CMD ["start", "--server"]
