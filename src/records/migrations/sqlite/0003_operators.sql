-- Who may use the console, with the password's hash as a PHC string.

CREATE TABLE operators (
    name     TEXT    NOT NULL PRIMARY KEY,
    password TEXT    NOT NULL,
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
