package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// credit is what each account has: more than any run takes.
const credit = 1_000_000 * metering.Dollar

// openBooks makes a store with accounts that have one key each, whose secrets it returns.
func openBooks(ctx context.Context, address string, accounts int) (secrets []string, err error) {
	s, err := store.Open(address)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Migrate(ctx); err != nil {
		return nil, err
	}
	for i := range accounts {
		secret, err := addCustomer(ctx, s, fmt.Sprintf("bench%d", i))
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

func addCustomer(ctx context.Context, s *store.Store, name string) (string, error) {
	now := time.Now()
	account := &auth.Account{ID: uuid.Must(uuid.NewV7()).String(), Email: name + "@example.com", Username: name, Status: auth.StatusActive, CreatedAt: now}
	if err := s.CreateAccount(ctx, account); err != nil {
		return "", err
	}
	secret, err := auth.NewSecret(rand.Reader)
	if err != nil {
		return "", err
	}
	hash, err := auth.HashSecret(secret.Reveal())
	if err != nil {
		return "", err
	}
	key := &auth.Key{ID: uuid.Must(uuid.NewV7()).String(), AccountID: account.ID, Name: "bench", Hash: hash, CreatedAt: now}
	if err := s.CreateKey(ctx, key); err != nil {
		return "", err
	}
	_, err = s.Deposit(ctx, store.Deposit{AccountID: account.ID, Amount: credit, Ref: "bench-" + name, Actor: "bench", At: now})
	return secret.Reveal(), err
}

// checkBooks fails unless the store holds one record for each request and adds up.
func checkBooks(ctx context.Context, address string, requests int64) (err error) {
	s, err := store.Open(address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	report, err := s.Verify(ctx)
	if err != nil {
		return err
	}
	for _, difference := range report.Differences {
		err = errors.Join(err, errors.New(difference.String()))
	}
	if err != nil {
		return fmt.Errorf("the ledger does not add up: %w", err)
	}
	if report.Records != requests {
		return fmt.Errorf("%d requests were answered, and %d are recorded", requests, report.Records)
	}
	return nil
}
