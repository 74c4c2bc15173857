-- +goose Up

-- Amounts are integers in nano-dollars, times integers in microseconds UTC.

CREATE TABLE accounts (
	id               TEXT    NOT NULL PRIMARY KEY,
	email            TEXT    UNIQUE,
	username         TEXT    UNIQUE,
	price_group      TEXT    NOT NULL,
	status           TEXT    NOT NULL,
	suspended_reason TEXT    NOT NULL,
	password_hash    TEXT    NOT NULL,
	created_at       BIGINT  NOT NULL
);

CREATE TABLE keys (
	id         TEXT    NOT NULL PRIMARY KEY,
	account_id TEXT    NOT NULL REFERENCES accounts (id),
	name       TEXT    NOT NULL,
	hash       BYTEA   NOT NULL UNIQUE,
	models     TEXT    NOT NULL,
	created_at BIGINT  NOT NULL,
	expires_at BIGINT,
	revoked_at BIGINT,
	exact_caps INTEGER NOT NULL, -- 1: refuse rather than lower an output cap
	-- What the key may spend in each period (total, day, week, month); NULL: no limit.
	spend_limit  BIGINT CHECK (spend_limit >= 0),
	limit_period TEXT,
	-- The key's own rates, beside those of its account's group; 0: no limit.
	requests_per_minute BIGINT NOT NULL CHECK (requests_per_minute >= 0),
	tokens_per_minute   BIGINT NOT NULL CHECK (tokens_per_minute >= 0),
	concurrency         BIGINT NOT NULL CHECK (concurrency >= 0),
	-- From where the key may be used, as networks by commas; empty: from everywhere.
	addresses           TEXT   NOT NULL
);
CREATE INDEX keys_by_account ON keys (account_id, created_at, id);

-- A recall asks nodes to put back what they do not use, for the one in its name.
CREATE TABLE wallets (
	account_id   TEXT    NOT NULL PRIMARY KEY REFERENCES accounts (id),
	balance      BIGINT  NOT NULL CHECK (balance >= 0),
	granted      BIGINT  NOT NULL CHECK (granted >= 0 AND granted <= balance),
	recall_by    TEXT    NOT NULL DEFAULT '',
	recall_until BIGINT  NOT NULL DEFAULT 0
);

-- What a key with a limit has spent, and what nodes may still spend of it, in the
-- period that began at period_start. What is left is the key's limit without both.
CREATE TABLE key_wallets (
	key_id       TEXT    NOT NULL REFERENCES keys (id),
	period_start BIGINT  NOT NULL,
	account_id   TEXT    NOT NULL REFERENCES wallets (account_id),
	spent        BIGINT  NOT NULL CHECK (spent >= 0),
	granted      BIGINT  NOT NULL CHECK (granted >= 0),
	recall_by    TEXT    NOT NULL DEFAULT '',
	recall_until BIGINT  NOT NULL DEFAULT 0,
	PRIMARY KEY (key_id, period_start)
);

-- A node's lease is in force until ended_at is set, however long ago it expired.
-- Rows stay, so that the epochs of a node never begin anew.
CREATE TABLE nodes (
	node       TEXT    NOT NULL PRIMARY KEY,
	epoch      BIGINT  NOT NULL,
	claimed_at BIGINT  NOT NULL,
	renewed_at BIGINT  NOT NULL,
	expires_at BIGINT  NOT NULL,
	ended_at   BIGINT
);

-- What a node has of a wallet is issued - returned - debited. The three only grow
-- within an epoch, so that a call whose outcome was lost can be made again. The
-- account's own wallet has no key_id ('') and no period (0).
CREATE TABLE grants (
	node         TEXT    NOT NULL REFERENCES nodes (node),
	account_id   TEXT    NOT NULL REFERENCES wallets (account_id),
	key_id       TEXT    NOT NULL,
	period_start BIGINT  NOT NULL,
	epoch        BIGINT  NOT NULL,
	issued       BIGINT  NOT NULL CHECK (issued >= 0),
	returned     BIGINT  NOT NULL CHECK (returned >= 0),
	debited      BIGINT  NOT NULL CHECK (debited >= 0),
	number       BIGINT  NOT NULL, -- of the last call: an earlier one that comes late changes nothing
	PRIMARY KEY (node, account_id, key_id, period_start),
	CHECK (issued - returned - debited >= 0)
);
CREATE INDEX grants_by_account ON grants (account_id);

-- Double entry: `amount` leaves debit_account and reaches credit_account; either or
-- both are house accounts (house:...). Rows are never changed.
CREATE TABLE transfers (
	kind           TEXT    NOT NULL,
	ref            TEXT    NOT NULL,
	debit_account  TEXT    NOT NULL,
	credit_account TEXT    NOT NULL,
	amount         BIGINT  NOT NULL CHECK (amount > 0),
	actor          TEXT    NOT NULL,
	note           TEXT    NOT NULL,
	at             BIGINT  NOT NULL,
	PRIMARY KEY (kind, ref),
	CHECK (debit_account <> credit_account)
);
CREATE INDEX transfers_by_debit ON transfers (debit_account, at);
CREATE INDEX transfers_by_credit ON transfers (credit_account, at);
CREATE INDEX transfers_by_kind ON transfers (kind, at);
CREATE INDEX transfers_by_time ON transfers (at, kind, ref);

-- Credit for whoever has the code, of which there is a hash. A redemption is also a
-- transfer of kind voucher, whose ref is the voucher's id.
CREATE TABLE vouchers (
	id          TEXT    NOT NULL PRIMARY KEY,
	hash        BYTEA   NOT NULL UNIQUE,
	amount      BIGINT  NOT NULL CHECK (amount > 0),
	actor       TEXT    NOT NULL, -- who made it
	note        TEXT    NOT NULL,
	created_at  BIGINT  NOT NULL,
	expires_at  BIGINT,
	revoked_at  BIGINT,
	redeemed_at BIGINT,
	redeemed_by TEXT    REFERENCES accounts (id),
	CHECK ((redeemed_at IS NULL) = (redeemed_by IS NULL)),
	CHECK (redeemed_at IS NULL OR revoked_at IS NULL)
);

-- One row per request: metadata only. The row is itself the debit of the
-- account, of cost - shortfall. Rows are never changed.
CREATE TABLE usage_records (
	id                 TEXT    NOT NULL PRIMARY KEY,
	account_id         TEXT    NOT NULL REFERENCES accounts (id),
	key_id             TEXT    NOT NULL REFERENCES keys (id),
	started_at         BIGINT  NOT NULL,
	duration           BIGINT  NOT NULL,
	first_token        BIGINT  NOT NULL,
	operation          TEXT    NOT NULL,
	dialect            TEXT    NOT NULL,
	provider           TEXT    NOT NULL,
	model_requested    TEXT    NOT NULL,
	model_served       TEXT    NOT NULL,
	attempts           INTEGER NOT NULL,
	status             TEXT    NOT NULL,
	http_status        INTEGER NOT NULL,
	streamed           INTEGER NOT NULL,
	finish_reason      TEXT    NOT NULL,
	service_tier       TEXT    NOT NULL,
	basis              TEXT    NOT NULL,
	input_total        BIGINT  NOT NULL,
	output_total       BIGINT  NOT NULL,
	input              BIGINT  NOT NULL,
	cache_read         BIGINT  NOT NULL,
	cache_write        BIGINT  NOT NULL,
	cache_write_5m     BIGINT  NOT NULL,
	cache_write_1h     BIGINT  NOT NULL,
	input_audio        BIGINT  NOT NULL,
	input_image        BIGINT  NOT NULL,
	input_video        BIGINT  NOT NULL,
	cache_read_audio   BIGINT  NOT NULL,
	cache_read_image   BIGINT  NOT NULL,
	cache_read_video   BIGINT  NOT NULL,
	output             BIGINT  NOT NULL,
	reasoning          BIGINT  NOT NULL,
	output_audio       BIGINT  NOT NULL,
	output_image       BIGINT  NOT NULL,
	output_video       BIGINT  NOT NULL,
	unit_web_search    BIGINT  NOT NULL,
	unit_web_fetch     BIGINT  NOT NULL,
	unit_x_search      BIGINT  NOT NULL,
	unit_file_search   BIGINT  NOT NULL,
	unit_code_interpreter BIGINT NOT NULL,
	unit_images        BIGINT  NOT NULL,
	unit_characters    BIGINT  NOT NULL,
	unit_milliseconds  BIGINT  NOT NULL,
	unit_pages         BIGINT  NOT NULL,
	cost               BIGINT  NOT NULL CHECK (cost >= 0),
	shortfall          BIGINT  NOT NULL CHECK (shortfall >= 0 AND shortfall <= cost),
	price_version      TEXT    NOT NULL,
	-- Where the key has a limit: the period (its start) that the debit counts in.
	key_period         BIGINT
);
CREATE INDEX usage_records_by_account ON usage_records (account_id, started_at, id);
CREATE INDEX usage_records_by_key ON usage_records (key_id, started_at, id);
CREATE INDEX usage_records_by_time ON usage_records (started_at, id);

-- The sums of each day's records (days since 1970, UTC, of started_at), written with
-- them: for overviews, and as what stays in the books when the records are purged.
CREATE TABLE daily_usage (
	account_id    TEXT    NOT NULL REFERENCES accounts (id),
	day           BIGINT  NOT NULL,
	key_id        TEXT    NOT NULL,
	key_period    BIGINT  NOT NULL, -- as of the records; -1 where the key has no limit
	provider      TEXT    NOT NULL,
	model_served  TEXT    NOT NULL,
	requests      BIGINT  NOT NULL,
	input_total   BIGINT  NOT NULL,
	output_total  BIGINT  NOT NULL,
	cost          BIGINT  NOT NULL,
	shortfall     BIGINT  NOT NULL,
	operator_cost BIGINT  NOT NULL,
	PRIMARY KEY (account_id, day, key_id, key_period, provider, model_served)
);
CREATE INDEX daily_usage_by_day ON daily_usage (day);

-- Records of days before this one are purged, or about to be.
CREATE TABLE retention (
	id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	first_day  BIGINT  NOT NULL
);
INSERT INTO retention (id, first_day) VALUES (1, 0);

-- What servers must notice of what others did: the latest change of each thing. The
-- sequence is a row, not a database sequence: writers queue for it, so numbers
-- become visible in their order and a reader never skips one that commits late.
CREATE TABLE change_sequence (
	id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	value BIGINT  NOT NULL
);
INSERT INTO change_sequence (id, value) VALUES (1, 0);
CREATE TABLE changes (
	kind     TEXT    NOT NULL,
	id       TEXT    NOT NULL,
	sequence BIGINT  NOT NULL UNIQUE,
	PRIMARY KEY (kind, id)
);
