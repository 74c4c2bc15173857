-- +goose Up

-- What providers must have promised of what the account sends; unknown: nothing.
ALTER TABLE accounts ADD COLUMN data_policy TEXT NOT NULL DEFAULT 'unknown';

-- As the account's, and which providers are preferred, as the header says it.
ALTER TABLE keys ADD COLUMN data_policy TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE keys ADD COLUMN providers TEXT NOT NULL DEFAULT '';

-- What becomes of an answer whose client has left: cancel, drain, or empty for what is
-- configured.
ALTER TABLE keys ADD COLUMN on_disconnect TEXT NOT NULL DEFAULT '';
