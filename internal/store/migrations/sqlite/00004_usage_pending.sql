-- +goose Up

-- Usage records that are settled, durably, and not posted yet: neither are they in
-- usage_records nor are their debits in the sums (wallets, key_wallets, grants, daily_usage).
-- Settling appends here, as that changes one page where posting changes a dozen. Whoever
-- writes anything else posts all of them first, in the same transaction; readers add
-- them to what they read (sqlite_reader.go).
CREATE TABLE usage_pending (
	number             INTEGER NOT NULL PRIMARY KEY, -- their order
	-- Whose grants the debit is taken from; node is empty where there is no debit.
	node               TEXT    NOT NULL,
	epoch              BIGINT  NOT NULL,
	-- As in usage_records.
	id                 TEXT    NOT NULL,
	account_id         TEXT    NOT NULL,
	key_id             TEXT    NOT NULL,
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
	unit_code_interpreter BIGINT  NOT NULL,
	unit_images        BIGINT  NOT NULL,
	unit_characters    BIGINT  NOT NULL,
	unit_milliseconds  BIGINT  NOT NULL,
	unit_pages         BIGINT  NOT NULL,
	cost               BIGINT  NOT NULL CHECK (cost >= 0),
	shortfall          BIGINT  NOT NULL CHECK (shortfall = 0),
	price_version      TEXT    NOT NULL,
	key_period         BIGINT
);
