package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// keysOfEach is how many keys each account has that fills a store.
const keysOfEach = 10

// fill adds accounts with credit and keys that nobody uses, past the store's own calls,
// which would take a commit for each.
func fill(ctx context.Context, address string, accounts int) (err error) {
	db, err := sql.Open("sqlite", strings.TrimPrefix(address, "sqlite:"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	const numbers = `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1) `
	const owner = `printf('01900000-0000-7000-8000-%012x', n)`
	for _, step := range []struct {
		statement string
		count     int
	}{
		{`INSERT INTO accounts (id, email, username, price_group, status, suspended_reason, password_hash, created_at) ` + numbers +
			`SELECT ` + owner + `, 'filled' || n || '@example.com', 'filled' || n, '', 'active', '', '', 0 FROM numbers`, accounts},
		{`INSERT INTO wallets (account_id, balance, granted) ` + numbers + `SELECT ` + owner + `, 5000000000, 0 FROM numbers`, accounts},
		{`INSERT INTO transfers (kind, ref, debit_account, credit_account, amount, actor, note, at) ` + numbers +
			`SELECT 'deposit', 'filled' || n, 'house:cash', ` + owner + `, 5000000000, 'bench', '', 0 FROM numbers`, accounts},
		{`INSERT INTO keys (id, account_id, name, hash, models, created_at, exact_caps, requests_per_minute, tokens_per_minute, concurrency, addresses) ` + numbers +
			`SELECT printf('01900000-0000-7000-9000-%012x', n), printf('01900000-0000-7000-8000-%012x', 1 + (n - 1) / ` + fmt.Sprint(keysOfEach) +
			`), 'filled', randomblob(32), '', 0, 0, 0, 0, 0, '' FROM numbers`, accounts * keysOfEach},
	} {
		if _, err := db.ExecContext(ctx, step.statement, step.count); err != nil {
			return fmt.Errorf("fill the store: %w", err)
		}
	}
	_, err = db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}

// compareFilled measures small requests of the same few callers with a small store and
// with one that holds many others.
func compareFilled(ctx context.Context, o options, table *table) (err error) {
	w := workloads()[0]
	if o.clients > 0 {
		w.clients = o.clients
	}
	var gateways [2]*gateway
	var stages [2]*stage
	for i := range stages {
		s, err := prepare(ctx, o, w)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.provider.close()) }()
		if i == 1 {
			began := time.Now()
			if err := fill(ctx, s.store, o.filled); err != nil {
				return err
			}
			size, err := os.Stat(strings.TrimPrefix(s.store, "sqlite:"))
			if err != nil {
				return err
			}
			fmt.Fprintf(table.screen, "filled in %s: %d accounts, %d keys, %d MiB\n", time.Since(began).Round(time.Second), o.filled, o.filled*keysOfEach, size.Size()>>20)
		}
		stages[i] = s
	}
	// Started in turn, as the first start of all reads the binary from the disk.
	var starts [2][]time.Duration
	for range max(o.rounds, 2) {
		for i, s := range stages {
			if gateways[i] != nil {
				if err := gateways[i].stop(); err != nil {
					return err
				}
			}
			if gateways[i], err = s.faregate(ctx); err != nil {
				return err
			}
			defer gateways[i].kill()
			starts[i] = append(starts[i], gateways[i].started)
		}
	}
	var rounds [][2]*cell
	var made [2]int64
	span := time.Duration(o.seconds * float64(time.Second))
	for range o.rounds {
		var cells [2]*cell
		for i, g := range gateways {
			c, l, err := measure(ctx, g, w, stages[i].secrets, plan{warm: span / 4, measure: span})
			if err != nil {
				return err
			}
			cells[i] = c
			made[i] += l.answered.Load()
		}
		rounds = append(rounds, cells)
	}
	fmt.Fprintln(table.screen, "the small store, then the filled one:")
	for i := range starts {
		fmt.Fprintf(table.screen, "  takes requests after %v\n", starts[i])
	}
	table.add(w, plan{}, rounds)
	for i, g := range gateways {
		if err := g.stop(); err != nil {
			return err
		}
		if err := checkBooks(ctx, stages[i].store, made[i]); err != nil {
			return err
		}
	}
	return nil
}
