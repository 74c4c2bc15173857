package auth

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestForget(t *testing.T) {
	directory, secret, hash := newDirectory(t)
	verifier := NewVerifier(directory, VerifierOptions{})
	wantError(t, verifier, secret, nil)

	directory.setStatus(StatusSuspended)
	wantError(t, verifier, secret, nil) // not told yet
	verifier.ForgetAccount("account-2")
	verifier.Forget("key-2")
	wantError(t, verifier, secret, nil) // told about others
	wantAsked(t, directory, 1)
	verifier.ForgetAccount("account-1")
	wantError(t, verifier, secret, ErrSuspended)
	wantError(t, verifier, secret, ErrSuspended)
	wantAsked(t, directory, 2)

	directory.setStatus(StatusActive)
	verifier.ForgetAccount("account-1")
	wantError(t, verifier, secret, nil)
	directory.setKey(hash, func(k *Key) { k.RevokedAt = time.Unix(1, 0) })
	verifier.Forget("key-1")
	wantError(t, verifier, secret, ErrUnknownKey)
	wantAsked(t, directory, 4)
}

// The key is revoked and forgotten between the moment when a look-up read the old
// state and the moment when it could keep it.
func TestForgetDuringALookupLeavesNothingStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory, secret, hash := newDirectory(t)
		verifier := NewVerifier(directory, VerifierOptions{})
		hasRead, goOn := make(chan struct{}), make(chan struct{})
		directory.read = func(context.Context) error {
			close(hasRead)
			<-goOn
			return nil
		}
		early := make(chan error)
		go func() {
			_, err := verifier.Verify(t.Context(), secret)
			early <- err
		}()
		<-hasRead
		directory.setKey(hash, func(k *Key) { k.RevokedAt = time.Unix(1, 0) })
		directory.change(func() { directory.read = nil })
		verifier.Forget("key-1")
		// Who comes after the Forget does not join the look-up that began before it.
		wantError(t, verifier, secret, ErrUnknownKey)
		close(goOn)
		if err := <-early; err != nil {
			t.Errorf("the request that came before the revocation: %v", err)
		}
		synctest.Wait()
		wantError(t, verifier, secret, ErrUnknownKey)
		wantAsked(t, directory, 2)
	})
}

// Many goroutines verify while the account is suspended and resumed; after each
// Forget, every answer must be the new one.
func TestForgetUnderLoad(t *testing.T) {
	directory, secret, _ := newDirectory(t)
	verifier := NewVerifier(directory, VerifierOptions{MaxLookups: 1000})
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = verifier.Verify(t.Context(), secret)
				}
			}
		})
	}
	defer func() {
		close(stop)
		load.Wait()
	}()
	for round := range 100 {
		status, want := StatusSuspended, ErrSuspended
		if round%2 == 1 {
			status, want = StatusActive, nil
		}
		directory.setStatus(status)
		verifier.ForgetAccount("account-1")
		for range 3 {
			if _, err := verifier.Verify(t.Context(), secret); !errors.Is(err, want) {
				t.Fatalf("round %d: got %v, want %v", round, err, want)
			}
		}
	}
}
