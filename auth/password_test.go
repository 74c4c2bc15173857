package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
)

func TestPasswordRoundTrip(t *testing.T) {
	const password = "pässword mit Leerzeichen"
	hash, err := HashPassword(rand.Reader, password)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(hash), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("parameters are missing in %s", string(hash))
	}
	if again, err := HashPassword(rand.Reader, password); err != nil || again == hash {
		t.Fatalf("the same password has the same hash twice (%v)", err)
	}
	if rehash, err := CheckPassword(hash, password); err != nil || rehash {
		t.Fatalf("right password: %v, rehash %v", err, rehash)
	}
	// The same letter as another keyboard writes it: a and a combining diaeresis.
	if _, err := CheckPassword(hash, strings.Replace(password, "ä", "a\u0308", 1)); err != nil {
		t.Fatalf("decomposed letter: %v", err)
	}
	for _, wrong := range []string{"", "Pässword mit Leerzeichen", password + " ", strings.Repeat("x", 5000)} {
		if rehash, err := CheckPassword(hash, wrong); !errors.Is(err, ErrWrongPassword) || rehash {
			t.Errorf("%.30q: %v, rehash %v", wrong, err, rehash)
		}
	}
	if _, err := CheckPassword("", password); !errors.Is(err, ErrWrongPassword) {
		t.Errorf("no password set: %v", err)
	}
}

func TestHashPasswordRefuses(t *testing.T) {
	for name, password := range map[string]string{
		"short": "elevenchars", "empty": "", "short in letters": "ääääääääää", "long": strings.Repeat("x", 1025),
		"two lines": "a password of\ntwo lines", "not UTF-8": "not quite text \xff", "zero byte": "with a zero \x00 byte",
	} {
		hash, err := HashPassword(rand.Reader, password)
		if !errors.Is(err, ErrPassword) || hash != "" {
			t.Errorf("%s: %v", name, err)
		} else if password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("%s: the error quotes the password", name)
		}
	}
}

func TestCheckPasswordSaysWhenToRehash(t *testing.T) {
	const password = "an old password"
	encode := func(memory, time uint32, threads uint8, saltSize int, tagSize uint32) PasswordHash {
		salt := make([]byte, saltSize)
		tag := argon2.IDKey([]byte(password), salt, time, memory, threads, tagSize)
		return PasswordHash(fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, time, threads,
			base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(tag)))
	}
	for name, row := range map[string]struct {
		stored PasswordHash
		rehash bool
	}{
		"today's":     {encode(19456, 2, 1, 16, 32), false},
		"less memory": {encode(8192, 2, 1, 16, 32), true},
		"one pass":    {encode(19456, 1, 1, 16, 32), true},
		"two threads": {encode(19456, 2, 2, 16, 32), true},
		"short salt":  {encode(19456, 2, 1, 8, 32), true},
		"short tag":   {encode(19456, 2, 1, 16, 16), true},
	} {
		if rehash, err := CheckPassword(row.stored, password); err != nil || rehash != row.rehash {
			t.Errorf("%s: rehash %v, %v", name, rehash, err)
		}
		if rehash, err := CheckPassword(row.stored, "another password"); !errors.Is(err, ErrWrongPassword) || rehash {
			t.Errorf("%s, wrong password: rehash %v, %v", name, rehash, err)
		}
	}
}

func TestCheckPasswordRefusesDamagedHashes(t *testing.T) {
	good, err := HashPassword(rand.Reader, "a good password")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(good), "$")
	with := func(index int, text string) PasswordHash {
		changed := append([]string(nil), parts...)
		changed[index] = text
		return PasswordHash(strings.Join(changed, "$"))
	}
	for name, stored := range map[string]PasswordHash{
		"other kind": with(1, "argon2i"), "other version": with(2, "v=16"), "no parameters": with(3, ""),
		"huge memory": with(3, "m=4194304,t=2,p=1"), "many passes": with(3, "m=19456,t=4000000,p=1"), "no thread": with(3, "m=19456,t=2,p=0"),
		"no pass": with(3, "m=19456,t=0,p=1"), "bad salt": with(4, "!"), "bad tag": with(5, "!"), "empty tag": with(5, ""), "bcrypt": "$2b$12$abcdefghijklmnopqrstuv",
		"cut": good[:40], "more": good + "$x",
	} {
		if _, err := CheckPassword(stored, "a good password"); !errors.Is(err, ErrPasswordHash) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkCheckPassword(b *testing.B) {
	hash, err := HashPassword(rand.Reader, "a password to measure")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CheckPassword(hash, "a password to measure"); err != nil {
			b.Fatal(err)
		}
	}
}
