-- +goose Up

ALTER TABLE keys ADD COLUMN rotated_at BIGINT; -- when the key got its present secret; NULL: with its creation

-- Secrets that were replaced, and until when they still stand for their key.
CREATE TABLE former_secrets (
	hash    BLOB   NOT NULL PRIMARY KEY,
	key_id  TEXT   NOT NULL REFERENCES keys (id),
	ends_at BIGINT NOT NULL
);
CREATE INDEX former_secrets_by_key ON former_secrets (key_id);
