package store_test

import (
	"database/sql"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

// reasons has every column of the store, and why it is kept: what has no reason must
// not be kept. docs/privacy.md says the same in short.
var reasons = map[string]map[string]string{
	"accounts": {
		"id":               "what everything else refers to; stays when the rest is erased",
		"email":            "to know whose credit it is, and to reach them; erased with the account",
		"username":         "to name the account without an address; erased with the account",
		"price_group":      "which prices and limits apply",
		"status":           "whether it may be used",
		"suspended_reason": "for those who look at the account later; erased with it",
		"data_policy":      "a restriction that the holder set",
		"password_hash":    "to sign in; argon2id; erased with the account",
		"created_at":       "the order of lists, and support",
	},
	"keys": {
		"id":           "what records refer to",
		"account_id":   "whose credit it spends",
		"name":         "the holder's own name for it; erased with the account",
		"hash":         "to recognise the secret, which is not kept",
		"models":       "a restriction that the holder set",
		"created_at":   "the order of lists, and support",
		"expires_at":   "a restriction that the holder set",
		"revoked_at":   "that it opens nothing any more",
		"exact_caps":   "a wish of the holder",
		"spend_limit":  "a restriction that the holder set",
		"limit_period": "a restriction that the holder set",

		"requests_per_minute": "a restriction that the holder set",
		"tokens_per_minute":   "a restriction that the holder set",
		"concurrency":         "a restriction that the holder set",
		"addresses":           "a restriction that the holder set: networks that the key works from, none that were seen",
		"on_disconnect":       "a wish of the holder",
		"rotated_at":          "how old its secret is",
		"data_policy":         "a restriction that the holder set",
		"providers":           "a wish of the holder: names out of the configuration",
	},
	"former_secrets": {
		"hash":    "to recognise a secret that was replaced, while it still works; goes with the next rotation, the revocation or the erasure",
		"key_id":  "which key it is of",
		"ends_at": "until when it works",
	},
	"wallets": {
		"account_id":   "whose it is",
		"balance":      "to say no in time",
		"granted":      "the part of it that servers were lent",
		"recall_by":    "the server or operation that credit is called back for",
		"recall_until": "when that ends by itself",
	},
	"key_wallets": {
		"key_id":       "whose limit it is",
		"period_start": "the day, week or month that the limit is for",
		"account_id":   "whose key it is",
		"spent":        "to keep the limit",
		"granted":      "the part of it that servers were lent",
		"recall_by":    "as of wallets",
		"recall_until": "as of wallets",
	},
	"nodes": {
		"node":       "the server's name",
		"epoch":      "to refuse a server whose lease was taken away",
		"claimed_at": "since when it runs",
		"renewed_at": "when it was last heard of",
		"expires_at": "when its credit may be taken back",
		"ended_at":   "that it was",
	},
	"grants": {
		"node":         "who was lent credit",
		"account_id":   "whose",
		"key_id":       "of which key's limit",
		"period_start": "in which period",
		"epoch":        "under which lease",
		"issued":       "how much",
		"returned":     "how much came back",
		"debited":      "how much was spent",
		"number":       "to tell a call that comes late",
	},
	"transfers": {
		"kind":           "the ledger: what it was",
		"ref":            "that it counts once",
		"debit_account":  "the ledger: from where",
		"credit_account": "the ledger: to where",
		"amount":         "the ledger: how much",
		"actor":          "the ledger: who did it, of the operator's people",
		"note":           "the ledger: the operator's reason",
		"at":             "the ledger: when",
	},
	"vouchers": {
		"id":          "what its transfer refers to",
		"hash":        "to recognise the code, which is not kept",
		"amount":      "how much it is worth",
		"actor":       "who made it, of the operator's people",
		"note":        "what it is for",
		"created_at":  "the order of lists",
		"expires_at":  "when it ends",
		"revoked_at":  "that the operator took it back",
		"redeemed_at": "that it counts once",
		"redeemed_by": "which account has its credit",
	},
	"usage_records": {
		"id":                    "support by request id, and that it counts once",
		"account_id":            "whose request it was",
		"key_id":                "by which key",
		"started_at":            "when",
		"duration":              "how long the answer took",
		"first_token":           "how long its beginning took",
		"operation":             "what was called",
		"dialect":               "what was called",
		"provider":              "who answered, and whose price counts",
		"model_requested":       "what was called, and whose price counts",
		"model_served":          "who answered",
		"attempts":              "how many providers were tried",
		"status":                "how it ended",
		"http_status":           "how it ended",
		"streamed":              "how it was answered",
		"finish_reason":         "how it ended",
		"service_tier":          "which price counts",
		"basis":                 "on what ground it was charged",
		"input_total":           "what was charged",
		"output_total":          "what was charged",
		"input":                 "what was charged",
		"cache_read":            "what was charged",
		"cache_write":           "what was charged",
		"cache_write_5m":        "what was charged",
		"cache_write_1h":        "what was charged",
		"input_audio":           "what was charged",
		"input_image":           "what was charged",
		"input_video":           "what was charged",
		"cache_read_audio":      "what was charged",
		"cache_read_image":      "what was charged",
		"cache_read_video":      "what was charged",
		"output":                "what was charged",
		"reasoning":             "what was charged",
		"output_audio":          "what was charged",
		"output_image":          "what was charged",
		"unit_web_search":       "what was charged",
		"unit_web_fetch":        "what was charged",
		"unit_x_search":         "what was charged",
		"unit_file_search":      "what was charged",
		"unit_code_interpreter": "what was charged",
		"unit_images":           "what was charged",
		"unit_characters":       "what was charged",
		"unit_milliseconds":     "what was charged",
		"unit_pages":            "what was charged",
		"output_video":          "what was charged",
		"cost":                  "the ledger: how much",
		"shortfall":             "the ledger: how much of it was not paid",
		"price_version":         "by which prices",
		"key_period":            "to keep the key's limit",
	},
	"daily_usage": {
		"account_id":    "whose requests",
		"day":           "of which day",
		"key_id":        "by which key",
		"key_period":    "to keep the key's limit",
		"provider":      "who answered",
		"model_served":  "who answered",
		"requests":      "how many",
		"input_total":   "how much in all",
		"output_total":  "how much in all",
		"cost":          "the ledger, when the records are purged",
		"shortfall":     "the ledger, when the records are purged",
		"operator_cost": "the ledger, when the records are purged",
	},
	"retention": {
		"id":        "one row",
		"first_day": "up to when records were purged",
	},
	"change_sequence": {
		"id":    "one row",
		"value": "the number of the latest change",
	},
	"changes": {
		"kind":     "what sort of thing changed, for servers to notice",
		"id":       "which one",
		"sequence": "in which order",
	},
}

// pendingReasons are those of the tables for records that are not posted, and of their
// view, which only SQLite has: what is in usage_records has its reason there.
func pendingReasons(columns map[string][]string) map[string]map[string]string {
	own := maps.Clone(reasons)
	for _, table := range []string{"usage_pending", "pending_records", "pending_kinds"} {
		own[table] = make(map[string]string)
		for _, column := range columns[table] {
			switch column {
			case "number":
				own[table][column] = "the order in which records are posted"
			case "kind":
				own[table][column] = "what a record has in common with others"
			case "node":
				own[table][column] = "which server was lent the credit that is spent"
			case "epoch":
				own[table][column] = "under which of its leases"
			default:
				own[table][column] = reasons["usage_records"][column]
			}
		}
	}
	return own
}

func mustHaveReasons(t *testing.T, reasons map[string]map[string]string, columns map[string][]string) {
	t.Helper()
	for table, kept := range columns {
		for _, column := range kept {
			if reasons[table][column] == "" {
				t.Errorf("%s.%s is kept without a reason: give it one here, and say it in docs/privacy.md if it is about people", table, column)
			}
		}
		for column := range reasons[table] {
			if !slices.Contains(kept, column) {
				t.Errorf("%s.%s has a reason and is not kept", table, column)
			}
		}
	}
	for _, table := range slices.Sorted(maps.Keys(reasons)) {
		if columns[table] == nil {
			t.Errorf("the table %s has reasons and is not there", table)
		}
	}
}

func TestEveryColumnHasItsReason(t *testing.T) {
	path := filepath.Join(t.TempDir(), "faregate.db")
	openFile(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns := make(map[string][]string)
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		columns[table] = append(columns[table], column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	mustHaveReasons(t, pendingReasons(columns), columns)
}

func TestEveryColumnHasItsReasonPostgres(t *testing.T) {
	t.Parallel()
	_, address := openPostgres(t)
	connection, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(t.Context()) }()
	rows, err := connection.Query(t.Context(), `SELECT table_name, column_name FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name NOT LIKE 'goose_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns := make(map[string][]string)
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		columns[table] = append(columns[table], column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	mustHaveReasons(t, reasons, columns)
}
