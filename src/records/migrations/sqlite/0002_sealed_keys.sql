-- Signing keys may be sealed (73 bytes, see sealed.rs), and then the proof of the master key is here.

CREATE TABLE sealable_keys (
    scope    TEXT    NOT NULL PRIMARY KEY,
    kid      BLOB    NOT NULL CHECK (length(kid) = 4),
    signing  BLOB    NOT NULL CHECK (length(signing) IN (32, 73)),
    revision INTEGER NOT NULL CHECK (revision > 0),
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO sealable_keys SELECT scope, kid, signing, revision, created FROM signing_keys;
DROP TABLE signing_keys;
ALTER TABLE sealable_keys RENAME TO signing_keys;

CREATE TABLE sealing (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    proof BLOB    NOT NULL
) STRICT;
