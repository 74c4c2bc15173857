package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// memoryDirectory is a directory whose look-ups the tests can hold up.
type memoryDirectory struct {
	lock     sync.Mutex
	keys     map[Hash]Key
	accounts map[string]Account
	failure  error
	asked    atomic.Int64
	// read is called after the state was read and before it is returned.
	read func(context.Context) error
}

func (d *memoryDirectory) FindKey(ctx context.Context, hash Hash) (*Key, *Account, error) {
	d.asked.Add(1)
	d.lock.Lock()
	key, found := d.keys[hash]
	account := d.accounts[key.AccountID]
	failure, read := d.failure, d.read
	d.lock.Unlock()
	if read != nil {
		if err := read(ctx); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case failure != nil:
		return nil, nil, failure
	case !found:
		return nil, nil, fmt.Errorf("no row: %w", ErrUnknownKey)
	}
	return &key, &account, nil
}

func (d *memoryDirectory) change(change func()) {
	d.lock.Lock()
	defer d.lock.Unlock()
	change()
}

func (d *memoryDirectory) setKey(hash Hash, change func(*Key)) {
	d.change(func() {
		key := d.keys[hash]
		change(&key)
		d.keys[hash] = key
	})
}

func (d *memoryDirectory) setStatus(status Status) {
	d.change(func() {
		account := d.accounts["account-1"]
		account.Status = status
		d.accounts["account-1"] = account
	})
}

// newDirectory has one account with one key, and gives the key's secret.
func newDirectory(t testing.TB) (*memoryDirectory, string, Hash) {
	t.Helper()
	secret := newSecret(t)
	hash, err := HashSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &memoryDirectory{
		keys:     map[Hash]Key{hash: {ID: "key-1", AccountID: "account-1", Name: "laptop", Hash: hash, Models: []string{"gpt-*"}}},
		accounts: map[string]Account{"account-1": {ID: "account-1", Group: "pro", Status: StatusActive}},
	}, secret, hash
}

func wantAsked(t *testing.T, directory *memoryDirectory, want int64) {
	t.Helper()
	if got := directory.asked.Load(); got != want {
		t.Errorf("the directory was asked %d times, want %d", got, want)
	}
}

func wantError(t *testing.T, verifier *Verifier, secret string, want error) {
	t.Helper()
	principal, err := verifier.Verify(t.Context(), secret)
	if !errors.Is(err, want) || (want != nil) != (principal == nil) {
		t.Errorf("got %+v, %v; want %v", principal, err, want)
	}
	if err != nil && len(secret) > 20 && strings.Contains(err.Error(), secret[6:20]) {
		t.Errorf("the error quotes the secret: %v", err)
	}
}

func TestVerify(t *testing.T) {
	directory, secret, _ := newDirectory(t)
	verifier := NewVerifier(directory, VerifierOptions{})
	principal, err := verifier.Verify(t.Context(), secret)
	if err != nil || principal.AccountID != "account-1" || principal.KeyID != "key-1" || principal.KeyName != "laptop" ||
		principal.Group != "pro" || !principal.AllowsModel("gpt-5") || principal.AllowsModel("grok-4") {
		t.Fatalf("got %+v, %v", principal, err)
	}
	again, err := verifier.Verify(t.Context(), secret)
	if err != nil || again != principal {
		t.Fatalf("got %+v, %v from the cache", again, err)
	}
	wantAsked(t, directory, 1)
	wantError(t, verifier, secret[:len(secret)-1], ErrMalformedKey)
	wantError(t, verifier, "", ErrMalformedKey)
	wantAsked(t, directory, 1)
	unknown := newSecret(t)
	wantError(t, verifier, unknown, ErrUnknownKey)
	wantError(t, verifier, unknown, ErrUnknownKey)
	wantAsked(t, directory, 2)
}

func TestVerifyAnswersRevokedLikeUnknown(t *testing.T) {
	directory, secret, hash := newDirectory(t)
	directory.setKey(hash, func(k *Key) { k.RevokedAt = time.Unix(1, 0) })
	verifier := NewVerifier(directory, VerifierOptions{})
	_, revoked := verifier.Verify(t.Context(), secret)
	_, unknown := verifier.Verify(t.Context(), newSecret(t))
	if !errors.Is(revoked, ErrUnknownKey) || revoked.Error() != unknown.Error() {
		t.Fatalf("revoked: %v; unknown: %v", revoked, unknown)
	}
	wantError(t, verifier, secret, ErrUnknownKey)
	wantAsked(t, directory, 2)
}

func TestVerifyChecksTheDirectorysAnswer(t *testing.T) {
	directory, secret, hash := newDirectory(t)
	directory.setKey(hash, func(k *Key) { k.Hash[31] ^= 1 })
	wantError(t, NewVerifier(directory, VerifierOptions{}), secret, ErrUnknownKey)

	directory, secret, _ = newDirectory(t)
	directory.accounts["account-1"] = Account{ID: "account-2", Status: StatusActive}
	wantError(t, NewVerifier(directory, VerifierOptions{}), secret, ErrUnavailable)

	// A status of a later version must not open the door.
	directory, secret, _ = newDirectory(t)
	directory.setStatus("erased")
	wantError(t, NewVerifier(directory, VerifierOptions{}), secret, ErrSuspended)
}

func TestVerifyChecksExpiryOnEveryHit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory, secret, hash := newDirectory(t)
		end := time.Now().Add(time.Minute)
		directory.setKey(hash, func(k *Key) { k.ExpiresAt = end })
		verifier := NewVerifier(directory, VerifierOptions{})
		wantError(t, verifier, secret, nil)
		time.Sleep(time.Minute - 1)
		wantError(t, verifier, secret, nil)
		time.Sleep(time.Nanosecond)
		wantError(t, verifier, secret, ErrExpiredKey)
		wantAsked(t, directory, 1)
		wantError(t, NewVerifier(directory, VerifierOptions{}), secret, ErrExpiredKey)
	})
}

func TestVerifyTrustsTheCacheFiveMinutesAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory, secret, _ := newDirectory(t)
		verifier := NewVerifier(directory, VerifierOptions{CacheAge: time.Hour})
		unknown := newSecret(t)
		wantError(t, verifier, secret, nil)
		wantError(t, verifier, unknown, ErrUnknownKey)
		directory.change(func() { directory.failure = errors.New("disk on fire") })
		time.Sleep(30*time.Second - 1)
		wantError(t, verifier, unknown, ErrUnknownKey)
		time.Sleep(time.Nanosecond)
		wantError(t, verifier, unknown, ErrUnavailable)
		time.Sleep(LongestCacheAge - 30*time.Second - 1)
		wantError(t, verifier, secret, nil)
		time.Sleep(time.Nanosecond)
		wantError(t, verifier, secret, ErrUnavailable)
		directory.change(func() { directory.failure = nil })
		wantError(t, verifier, secret, nil)
	})
}

func TestLookupsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory, secret, _ := newDirectory(t)
		goOn := make(chan struct{})
		directory.read = func(ctx context.Context) error {
			select {
			case <-goOn:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		verifier := NewVerifier(directory, VerifierOptions{MaxLookups: 1})
		impatient, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { // the first caller, who starts the look-up, leaves first
			_, err := verifier.Verify(impatient, secret)
			left <- err
		}()
		synctest.Wait()
		var waiting sync.WaitGroup
		for range 50 {
			waiting.Go(func() { wantError(t, verifier, secret, nil) })
		}
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
		// Another key finds the only place taken, and says so at once.
		wantError(t, verifier, newSecret(t), ErrBusy)
		close(goOn)
		waiting.Wait()
		wantAsked(t, directory, 1)
	})
}

func TestBusyIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory, secret, _ := newDirectory(t)
		goOn := make(chan struct{})
		directory.read = func(context.Context) error { <-goOn; return nil }
		verifier := NewVerifier(directory, VerifierOptions{MaxLookups: 3})
		var invented sync.WaitGroup
		for range 3 {
			invented.Go(func() { wantError(t, verifier, newSecret(t), ErrUnknownKey) })
		}
		synctest.Wait()
		wantError(t, verifier, secret, ErrBusy)
		close(goOn)
		invented.Wait()
		wantError(t, verifier, secret, nil)
	})
}

func TestLookupThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory, secret, _ := newDirectory(t)
		directory.read = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		verifier := NewVerifier(directory, VerifierOptions{})
		started := time.Now()
		wantError(t, verifier, secret, ErrUnavailable)
		if waited := time.Since(started); waited != time.Second {
			t.Errorf("waited %s", waited)
		}
		directory.change(func() { directory.read = nil })
		wantError(t, verifier, secret, nil)
	})
}

func TestInventedKeysStayBoundedAndDisplaceNobody(t *testing.T) {
	directory, secret, _ := newDirectory(t)
	verifier := NewVerifier(directory, VerifierOptions{CacheSize: 64, UnknownSize: 64})
	wantError(t, verifier, secret, nil)
	for range 2000 {
		wantError(t, verifier, newSecret(t), ErrUnknownKey)
	}
	wantAsked(t, directory, 2001)
	wantError(t, verifier, secret, nil)
	wantAsked(t, directory, 2001)
	kept := 0
	for i := range verifier.cache.shards {
		kept += verifier.cache.shards[i].unknown.Len()
	}
	if kept > 64 {
		t.Errorf("%d unknown keys are kept", kept)
	}
}

func TestAReplacedSecretWorksUntilItsEnd(t *testing.T) {
	directory, secret, hash := newDirectory(t)
	now := time.Unix(1000, 0)
	verifier := NewVerifier(directory, VerifierOptions{Now: func() time.Time { return now }})
	directory.setKey(hash, func(k *Key) { k.SecretEndsAt = now.Add(time.Minute) })
	wantError(t, verifier, secret, nil)
	now = now.Add(time.Minute - 1)
	wantError(t, verifier, secret, nil)
	now = now.Add(1)
	wantError(t, verifier, secret, ErrUnknownKey)
	wantAsked(t, directory, 1) // it is known how long it works
	verifier.Forget("key-1")
	wantError(t, verifier, secret, ErrUnknownKey)
	wantAsked(t, directory, 2)
}
