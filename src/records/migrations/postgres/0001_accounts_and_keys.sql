-- Organisations, the API keys that act for them, and the signing keys of streams and organisations.
-- Times are Unix seconds. The same tables as SQLite's.

CREATE TABLE organisations (
    orga    TEXT   NOT NULL PRIMARY KEY,
    created BIGINT NOT NULL
);

CREATE TABLE api_keys (
    hash    BYTEA  NOT NULL PRIMARY KEY CHECK (length(hash) = 32),  -- SHA-256 of the whole key
    orga    TEXT   NOT NULL REFERENCES organisations (orga),
    created BIGINT NOT NULL
);

-- One row a scope: registering another secret replaces it, with the next revision.
-- A scope is a stream's name, or an organisation's hash; only the former has a '-'.
CREATE TABLE signing_keys (
    scope    TEXT   NOT NULL PRIMARY KEY,
    kid      BYTEA  NOT NULL CHECK (length(kid) = 4),
    signing  BYTEA  NOT NULL CHECK (length(signing) IN (32, 73)),   -- 73 where it is sealed
    revision BIGINT NOT NULL CHECK (revision > 0),
    created  BIGINT NOT NULL
);

-- What is never accepted again, known by the SHA-256 of its signing key.
CREATE TABLE revoked_keys (
    scope       TEXT   NOT NULL,
    fingerprint BYTEA  NOT NULL CHECK (length(fingerprint) = 32),
    revision    BIGINT NOT NULL,
    revoked     BIGINT NOT NULL,
    PRIMARY KEY (scope, fingerprint)
);

-- Where signing keys are sealed: the proof of the master key, see sealed.rs.
CREATE TABLE sealing (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    proof BYTEA   NOT NULL
);
