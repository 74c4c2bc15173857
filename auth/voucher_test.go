package auth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"
)

func newVoucherCode(t *testing.T) string {
	t.Helper()
	code, err := NewVoucherCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if printed := fmt.Sprintf("%v %+v %#v %s", code, code, code, struct{ Code Secret }{code}); strings.Contains(printed, "FG-") {
		t.Errorf("a code prints as %s", printed)
	}
	return code.Reveal()
}

func TestVoucherCodes(t *testing.T) {
	form := regexp.MustCompile(`^FG(-[0-9A-HJKMNP-TV-Z]{5}){6}$`)
	if bits := math.Log2(float64(len(crockford))) * voucherRandomDigits; bits < 128 {
		t.Errorf("a code has %v random bits", bits)
	}
	seen := make(map[Hash]bool)
	var random [voucherRandomDigits]map[byte]bool
	for range 2000 {
		code := newVoucherCode(t)
		if !form.MatchString(code) {
			t.Fatalf("the code %s has another form", code)
		}
		hash, err := HashVoucherCode(code)
		if err != nil || seen[hash] {
			t.Fatalf("hash of %s: %v, seen before: %v", code, err, seen[hash])
		}
		seen[hash] = true
		for i := range random {
			if random[i] == nil {
				random[i] = make(map[byte]bool)
			}
			random[i][strings.ReplaceAll(code[3:], "-", "")[i]] = true
		}
	}
	for i, digits := range random {
		if len(digits) != len(crockford) {
			t.Errorf("digit %d takes %d values, want all %d: its bits are not random", i, len(digits), len(crockford))
		}
	}
}

func TestVoucherCodesAsTyped(t *testing.T) {
	// Fixed, so that codes that were given out stay good.
	code, err := NewVoucherCode(mathrand.NewChaCha8([32]byte{7}))
	if err != nil {
		t.Fatal(err)
	}
	const whole = "FG-409N0-VR1JT-HHBG3-19J1H-E5KT2-JMFKG"
	if code.Reveal() != whole {
		t.Fatalf("the code is %s", code.Reveal())
	}
	want := Hash(blake2b.Sum256([]byte("faregate voucher code v1\x00" + strings.ReplaceAll(whole[3:], "-", ""))))
	for _, typed := range []string{
		whole, strings.ToLower(whole), whole[3:], strings.ReplaceAll(whole, "-", " "), strings.ReplaceAll(whole, "-", ""),
		" " + whole + "\r\n", strings.ReplaceAll(whole, "1", "l"), strings.ReplaceAll(whole, "1", "I"), strings.ReplaceAll(whole, "0", "o"),
	} {
		if got, err := HashVoucherCode(typed); err != nil || got != want {
			t.Errorf("%q: %v, same hash: %v", typed, err, got == want)
		}
	}
	for _, typed := range []string{
		"", "FG-", whole[:len(whole)-1], whole + "0", "GF" + whole[2:], strings.Replace(whole, "E5KT2", "E5KT3", 1),
		strings.Replace(whole, "409N0-VR1JT", "VR1JT-409N0", 1), strings.Replace(whole, "4", "U", 1), strings.Replace(whole, "4", "é", 1),
		whole + whole, strings.Repeat("0", 1<<20), "sk-fg-" + whole,
	} {
		if _, err := HashVoucherCode(typed); !errors.Is(err, ErrMalformedVoucher) || typed != "" && strings.Contains(err.Error(), typed) && typed != "FG-" {
			t.Errorf("%.40q: %v, want ErrMalformedVoucher", typed, err)
		}
	}
}
