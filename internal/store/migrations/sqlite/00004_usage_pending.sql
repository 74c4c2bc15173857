-- +goose Up

-- Usage records that are settled, durably, and not posted yet: neither are they in
-- usage_records nor are their debits in the sums (wallets, key_wallets, grants, daily_usage).
-- Settling appends here, as that changes one page where posting changes a dozen. Whoever
-- writes anything else posts all of them first, in the same transaction; readers add
-- them to what they read (sqlite_reader.go).

-- What many records have in common.
CREATE TABLE pending_kinds (
	kind               INTEGER NOT NULL PRIMARY KEY,
	-- Whose grants the debits are taken from; empty where there are none.
	node               TEXT    NOT NULL,
	epoch              BIGINT  NOT NULL,
	-- As in usage_records.
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
	price_version      TEXT    NOT NULL
);

CREATE TABLE pending_records (
	number             INTEGER NOT NULL PRIMARY KEY, -- their order
	kind               BIGINT  NOT NULL,
	-- As in usage_records.
	id                 TEXT    NOT NULL,
	account_id         TEXT    NOT NULL,
	key_id             TEXT    NOT NULL,
	started_at         BIGINT  NOT NULL,
	duration           BIGINT  NOT NULL,
	first_token        BIGINT  NOT NULL,
	input_total        BIGINT  NOT NULL,
	output_total       BIGINT  NOT NULL,
	input              BIGINT  NOT NULL,
	cache_read         BIGINT  NOT NULL,
	cache_write        BIGINT  NOT NULL DEFAULT 0,
	cache_write_5m     BIGINT  NOT NULL DEFAULT 0,
	cache_write_1h     BIGINT  NOT NULL DEFAULT 0,
	input_audio        BIGINT  NOT NULL DEFAULT 0,
	input_image        BIGINT  NOT NULL DEFAULT 0,
	input_video        BIGINT  NOT NULL DEFAULT 0,
	cache_read_audio   BIGINT  NOT NULL DEFAULT 0,
	cache_read_image   BIGINT  NOT NULL DEFAULT 0,
	cache_read_video   BIGINT  NOT NULL DEFAULT 0,
	output             BIGINT  NOT NULL,
	reasoning          BIGINT  NOT NULL,
	output_audio       BIGINT  NOT NULL DEFAULT 0,
	output_image       BIGINT  NOT NULL DEFAULT 0,
	output_video       BIGINT  NOT NULL DEFAULT 0,
	unit_web_search    BIGINT  NOT NULL DEFAULT 0,
	unit_web_fetch     BIGINT  NOT NULL DEFAULT 0,
	unit_x_search      BIGINT  NOT NULL DEFAULT 0,
	unit_file_search   BIGINT  NOT NULL DEFAULT 0,
	unit_code_interpreter BIGINT  NOT NULL DEFAULT 0,
	unit_images        BIGINT  NOT NULL DEFAULT 0,
	unit_characters    BIGINT  NOT NULL DEFAULT 0,
	unit_milliseconds  BIGINT  NOT NULL DEFAULT 0,
	unit_pages         BIGINT  NOT NULL DEFAULT 0,
	cost               BIGINT  NOT NULL CHECK (cost >= 0),
	shortfall          BIGINT  NOT NULL DEFAULT 0 CHECK (shortfall = 0),
	key_period         BIGINT
);

-- Both as they will be posted. A record without its kind cannot be.
CREATE VIEW usage_pending AS SELECT r.number, k.node, k.epoch,
	r.id, r.account_id, r.key_id, r.started_at, r.duration, r.first_token, k.operation, k.dialect, k.provider,
	k.model_requested, k.model_served, k.attempts, k.status, k.http_status, k.streamed, k.finish_reason, k.service_tier,
	k.basis, r.input_total, r.output_total, r.input, r.cache_read, r.cache_write, r.cache_write_5m, r.cache_write_1h,
	r.input_audio, r.input_image, r.input_video, r.cache_read_audio, r.cache_read_image, r.cache_read_video, r.output,
	r.reasoning, r.output_audio, r.output_image, r.output_video, r.unit_web_search, r.unit_web_fetch, r.unit_x_search,
	r.unit_file_search, r.unit_code_interpreter, r.unit_images, r.unit_characters, r.unit_milliseconds, r.unit_pages,
	r.cost, r.shortfall, k.price_version, r.key_period
FROM pending_records r LEFT JOIN pending_kinds k ON k.kind = r.kind;
