package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
)

func BenchmarkVerifyHit(b *testing.B) {
	directory, secret, _ := newDirectory(b)
	verifier := NewVerifier(directory, VerifierOptions{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifier.Verify(b.Context(), secret); err != nil {
			b.Fatal(err)
		}
	}
}

// 1000 keys in use by all processors at once.
func BenchmarkVerifyHitParallel(b *testing.B) {
	directory, _, _ := newDirectory(b)
	secrets := make([]string, 1000)
	for i := range secrets {
		secrets[i] = newSecret(b)
		hash, _ := HashSecret(secrets[i])
		directory.keys[hash] = Key{ID: fmt.Sprint("key-", i), AccountID: "account-1", Hash: hash}
	}
	verifier := NewVerifier(directory, VerifierOptions{})
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := verifier.Verify(context.Background(), secrets[i%len(secrets)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerifyUnknown(b *testing.B) {
	directory, _, _ := newDirectory(b)
	verifier := NewVerifier(directory, VerifierOptions{})
	b.ReportAllocs()
	for b.Loop() {
		secret, err := NewSecret(rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := verifier.Verify(b.Context(), secret.Reveal()); !errors.Is(err, ErrUnknownKey) {
			b.Fatal(err)
		}
	}
}
