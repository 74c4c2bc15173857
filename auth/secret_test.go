package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

func newSecret(t testing.TB) string {
	t.Helper()
	secret, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal()
}

// The expected texts were computed with another implementation (Python's int and
// zlib.crc32).
func TestNewSecretHasTheAgreedForm(t *testing.T) {
	counting := make([]byte, 32)
	for i := range counting {
		counting[i] = byte(i)
	}
	for want, random := range map[string][]byte{
		"sk-fg-00000000000000000000000000000000000000000002RS4lN": make([]byte, 32),
		"sk-fg-003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf35DZph": counting,
		"sk-fg-yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp10rHKif": bytes.Repeat([]byte{0xff}, 32),
	} {
		secret, err := NewSecret(bytes.NewReader(random))
		if err != nil || secret.Reveal() != want {
			t.Errorf("got %q, %v; want %q", secret.Reveal(), err, want)
		}
		if _, err := HashSecret(want); err != nil {
			t.Errorf("its own secret %q is refused: %v", want, err)
		}
	}
}

func TestNewSecretKeepsAllBits(t *testing.T) {
	form := regexp.MustCompile(`^sk-fg-[0-9A-Za-z]{49}$`)
	for range 200 {
		random := make([]byte, 32)
		_, _ = rand.Read(random)
		secret, err := NewSecret(bytes.NewReader(random))
		if err != nil || !form.MatchString(secret.Reveal()) {
			t.Fatalf("%q, %v", secret.Reveal(), err)
		}
		// math/big counts small letters before capital ones; ours is ASCII order.
		number := new(big.Int)
		for _, c := range []byte(secret.Reveal()[6:49]) {
			number.Mul(number, big.NewInt(62))
			number.Add(number, big.NewInt(int64(strings.IndexByte(base62, c))))
		}
		if got := number.FillBytes(make([]byte, 32)); !bytes.Equal(got, random) {
			t.Fatalf("%x became %x", random, got)
		}
	}
}

func TestNewSecretNeedsAllItsRandomness(t *testing.T) {
	for _, source := range []io.Reader{bytes.NewReader(make([]byte, 31)), iotest.ErrReader(errors.New("no entropy"))} {
		if secret, err := NewSecret(source); err == nil || secret.Reveal() != "" {
			t.Errorf("got %q without enough randomness", secret.Reveal())
		}
	}
}

func TestHashSecretRefusesWhatIsNoKey(t *testing.T) {
	good := newSecret(t)
	bad := map[string]string{
		"empty": "", "other vendor": "sk-proj-" + good[8:], "cut": good[:54], "longer": good + "0",
		"space before": " " + good[:54], "new line": good[:54] + "\n", "capital prefix": "SK-FG-" + good[6:],
		"outside the alphabet": good[:10] + "-" + good[11:], "not ASCII": good[:9] + "é" + good[11:],
		"checksum outside the alphabet": good[:54] + "_",
		"checksum past 32 bits":         good[:49] + "zzzzzz",
	}
	for i := 6; i < len(good); i++ { // every single mistyped character
		other := byte('a')
		if good[i] == other {
			other = 'b'
		}
		bad[fmt.Sprintf("typo at %d", i)] = good[:i] + string(other) + good[i+1:]
	}
	for i := 6; i < len(good)-1; i++ { // every swap of neighbours
		if good[i] != good[i+1] {
			bad[fmt.Sprintf("swap at %d", i)] = good[:i] + good[i+1:i+2] + good[i:i+1] + good[i+2:]
		}
	}
	for name, text := range bad {
		_, err := HashSecret(text)
		if !errors.Is(err, ErrMalformedKey) {
			t.Errorf("%s: %v", name, err)
		} else if len(text) > 20 && strings.Contains(err.Error(), text[10:20]) {
			t.Errorf("%s: the error quotes the text", name)
		}
	}
}

func TestHashSecretIsTaggedBLAKE2b(t *testing.T) {
	hash, err := HashSecret("sk-fg-003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf35DZph")
	// Python: hashlib.blake2b(b"faregate key secret v1\0" + secret, digest_size=32)
	if want := "db244a1307a34ba00f723e72990c9594fccfecf27f348f755e7bee4be0b2e411"; err != nil || hexOf(hash) != want {
		t.Fatalf("got %s, %v; want %s", hexOf(hash), err, want)
	}
	kept, err := ParseHash(hash[:])
	if err != nil || kept != hash {
		t.Fatalf("kept %s, %v", hexOf(kept), err)
	}
	if _, err := ParseHash(hash[:31]); err == nil {
		t.Fatal("a cut hash was read")
	}
}

func hexOf(hash Hash) string { return fmt.Sprintf("%x", hash[:]) }

// holder has what a careless caller could print whole.
type holder struct {
	Secret   Secret
	Pointer  *Secret
	Key      Key
	Account  *Account
	Password PasswordHash
	private  Secret
}

func TestNothingPrintsASecret(t *testing.T) {
	secret, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := HashSecret(secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	password, err := HashPassword(rand.Reader, "correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	account := &Account{ID: "a", PasswordHash: password}
	value := holder{Secret: secret, Pointer: &secret, Key: Key{ID: "k", Hash: hash}, Account: account, Password: password, private: secret}
	marks := []string{
		secret.Reveal(), secret.Reveal()[6:], hexOf(hash), fmt.Sprintf("%X", hash[:]), fmt.Sprintf("%v", [32]byte(hash)),
		string(password), fmt.Sprintf("%x", string(password)), fmt.Sprintf("%x", secret.Reveal()),
	}
	check := func(how, printed string) {
		t.Helper()
		for _, mark := range marks {
			if strings.Contains(printed, strings.Trim(mark, "[]")) {
				t.Errorf("%s prints %s", how, printed)
			}
		}
	}
	for _, printable := range []any{secret, &secret, hash, &hash, password, value, &value, value.Key, &value.Key, *account, account, []any{secret, hash, password}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			check(fmt.Sprintf("%s of %T", verb, printable), fmt.Sprintf(verb, printable))
		}
		encoded, err := json.Marshal(printable)
		if err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("JSON of %T", printable), string(encoded))
	}
	check("String", secret.String()+hash.String()+password.String()+secret.GoString()+hash.GoString()+password.GoString())
}

func BenchmarkHashSecret(b *testing.B) {
	secret := newSecret(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := HashSecret(secret); err != nil {
			b.Fatal(err)
		}
	}
}
