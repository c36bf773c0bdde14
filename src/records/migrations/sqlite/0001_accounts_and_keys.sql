-- Organisations, the API keys that act for them, and the signing keys of streams and organisations.
-- Times are Unix seconds.

CREATE TABLE organisations (
    orga    TEXT    NOT NULL PRIMARY KEY,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    hash    BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),  -- SHA-256 of the whole key
    orga    TEXT    NOT NULL REFERENCES organisations (orga),
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a scope: registering another secret replaces it, with the next revision.
-- A scope is a stream's name, or an organisation's hash; only the former has a '-'.
CREATE TABLE signing_keys (
    scope    TEXT    NOT NULL PRIMARY KEY,
    kid      BLOB    NOT NULL CHECK (length(kid) = 4),
    signing  BLOB    NOT NULL CHECK (length(signing) = 32),
    revision INTEGER NOT NULL CHECK (revision > 0),
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is never accepted again, known by the SHA-256 of its signing key.
CREATE TABLE revoked_keys (
    scope       TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    revision    INTEGER NOT NULL,
    revoked     INTEGER NOT NULL,
    PRIMARY KEY (scope, fingerprint)
) STRICT, WITHOUT ROWID;
