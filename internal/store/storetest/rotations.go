package storetest

import (
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
)

// secretOf is what the key's secret of this hash is worth: until when it works, zero for
// the present one; false if it stands for no key.
func secretOf(t *testing.T, s Store, keyID string, hash auth.Hash) (until time.Time, known bool) {
	t.Helper()
	key, _, err := s.FindKey(t.Context(), hash)
	if errors.Is(err, auth.ErrUnknownKey) {
		return time.Time{}, false
	}
	must(t, err)
	if key.ID != keyID || key.Hash != hash {
		t.Fatalf("the secret leads to %+v", key)
	}
	return key.SecretEndsAt, true
}

func mustEnd(t *testing.T, s Store, keyID string, hash auth.Hash, want time.Time) {
	t.Helper()
	if until, known := secretOf(t, s, keyID, hash); !known || !until.Equal(want) {
		t.Errorf("the secret works until %v (known: %t), want %v", until, known, want)
	}
}

func mustBeUnknown(t *testing.T, s Store, keyID string, hash auth.Hash) {
	t.Helper()
	if until, known := secretOf(t, s, keyID, hash); known {
		t.Errorf("the secret works until %v, want it to be unknown", until)
	}
}

func rotations(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 0)
	original := &auth.Key{
		ID: NewID(), AccountID: customer.AccountID, Name: "ci", Hash: newHash(), Models: []string{"gpt-5"}, ExactCaps: true,
		CreatedAt: Moment, ExpiresAt: Moment.Add(48 * time.Hour),
	}
	must(t, s.CreateKey(ctx, original))
	start, err := s.LastChange(ctx)
	must(t, err)
	at := func(hours int) time.Time { return Moment.Add(time.Duration(hours) * time.Hour) }
	rotate := func(hash auth.Hash, now, until time.Time) *store.LimitedKey {
		t.Helper()
		rotated, err := s.RotateKey(ctx, store.Rotation{KeyID: original.ID, Hash: hash, At: now, Until: until})
		must(t, err)
		return rotated
	}

	second := newHash()
	for range 2 { // once more, as after a lost answer
		rotated := rotate(second, at(1), at(10))
		want := *original
		want.Hash, want.RotatedAt = second, at(1)
		if !reflect.DeepEqual(rotated, &store.LimitedKey{Key: want, FormerUntil: at(10)}) {
			t.Errorf("rotated: %+v", *rotated)
		}
		if found, _, err := s.FindKey(ctx, second); err != nil || !reflect.DeepEqual(found, &want) {
			t.Errorf("by the new secret: %+v, %v", found, err)
		}
		want.Hash, want.SecretEndsAt = original.Hash, at(10)
		if found, _, err := s.FindKey(ctx, original.Hash); err != nil || !reflect.DeepEqual(found, &want) {
			t.Errorf("by the old secret: %+v, %v", found, err)
		}
	}
	if changes, err := s.Changes(ctx, start); err != nil || !reflect.DeepEqual(changes, []store.Change{{Sequence: start + 1, Kind: store.KindKey, ID: original.ID}}) {
		t.Errorf("changes %v, %v", changes, err)
	}

	// An earlier secret's time is never longer than was said last, nor than was said first.
	third := newHash()
	if rotated := rotate(third, at(2), at(20)); !rotated.FormerUntil.Equal(at(20)) {
		t.Errorf("former secrets work until %v", rotated.FormerUntil)
	}
	mustEnd(t, s, original.ID, original.Hash, at(10))
	mustEnd(t, s, original.ID, second, at(20))
	fourth := newHash()
	rotate(fourth, at(3), at(5))
	for _, hash := range []auth.Hash{original.Hash, second, third} {
		mustEnd(t, s, original.ID, hash, at(5))
	}
	// Without a time of grace all before it end at once, and nothing is left of them.
	fifth := newHash()
	if rotated := rotate(fifth, at(4), at(4)); !rotated.FormerUntil.IsZero() {
		t.Errorf("former secrets work until %v", rotated.FormerUntil)
	}
	for _, hash := range []auth.Hash{original.Hash, second, third, fourth} {
		mustBeUnknown(t, s, original.ID, hash)
	}
	mustEnd(t, s, original.ID, fifth, time.Time{})

	refused := func(want error, keyID string, hash auth.Hash, now time.Time) {
		t.Helper()
		if _, err := s.RotateKey(ctx, store.Rotation{KeyID: keyID, Hash: hash, At: now, Until: now}); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	other := NewKey(t, s, customer.AccountID)
	sixth := newHash()
	rotate(sixth, at(5), at(9))
	refused(store.ErrTaken, other, sixth, at(5))
	refused(store.ErrTaken, other, fifth, at(5))
	refused(store.ErrNotFound, NewID(), newHash(), at(5))
	refused(auth.ErrExpiredKey, original.ID, newHash(), at(48))
	mustEnd(t, s, original.ID, sixth, time.Time{})
	mustEnd(t, s, original.ID, fifth, at(9))

	must(t, s.RevokeKey(ctx, original.ID, at(6)))
	refused(store.ErrRevoked, original.ID, newHash(), at(7))
	mustBeUnknown(t, s, original.ID, fifth)
	if key, _, err := s.FindKey(ctx, sixth); err != nil || !key.Revoked() {
		t.Errorf("the last secret of a revoked key: %+v, %v", key, err)
	}

	// What is erased leaves no secret either.
	before, _, err := s.FindKey(ctx, keyHash(t, s, customer.AccountID, other))
	must(t, err)
	_, err = s.RotateKey(ctx, store.Rotation{KeyID: other, Hash: newHash(), At: at(7), Until: at(8)})
	must(t, err)
	_, err = s.EraseAccount(ctx, store.Erasure{AccountID: customer.AccountID, Actor: "test", At: at(7)})
	must(t, err)
	mustBeUnknown(t, s, other, before.Hash)
}

func keyHash(t *testing.T, s Store, accountID, keyID string) auth.Hash {
	t.Helper()
	keys, err := s.ListKeys(t.Context(), accountID)
	must(t, err)
	for _, key := range keys {
		if key.ID == keyID {
			return key.Hash
		}
	}
	t.Fatalf("no key %s", keyID)
	return auth.Hash{}
}

// Each of many who rotate a key at once has a secret that works.
func rotationsAtOnce(t *testing.T, s Store) {
	customer := NewCustomer(t, s, 0)
	hashes := make([]auth.Hash, 8)
	hashes[0] = keyHash(t, s, customer.AccountID, customer.KeyID)
	var running sync.WaitGroup
	for i := range hashes[1:] {
		hashes[i+1] = newHash()
		running.Go(func() {
			if _, err := s.RotateKey(t.Context(), store.Rotation{
				KeyID: customer.KeyID, Hash: hashes[i+1], At: Moment, Until: Moment.Add(time.Hour),
			}); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	present := 0
	for _, hash := range hashes {
		until, known := secretOf(t, s, customer.KeyID, hash)
		if !known || !until.IsZero() && !until.Equal(Moment.Add(time.Hour)) {
			t.Errorf("a secret works until %v (known: %t)", until, known)
		}
		if known && until.IsZero() {
			present++
		}
	}
	if present != 1 {
		t.Errorf("%d secrets are the present one", present)
	}
}
