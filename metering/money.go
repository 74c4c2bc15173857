package metering

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Nanos is an amount of money in nano-dollars (1 USD = 1,000,000,000). The
// largest amount is about 9.2 billion dollars. Money is never a float.
type Nanos int64

// Dollar is one US dollar.
const Dollar Nanos = 1_000_000_000

// ErrAmount says that a text is not an amount of money.
var ErrAmount = errors.New("not an amount in dollars (like 5, 5.00 or 0.000000001; no sign, at most nine decimals)")

// ParseUSD reads a non-negative decimal number of dollars exactly.
//
//	ParseUSD("5.00") == 5*Dollar
func ParseUSD(text string) (Nanos, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if whole == "" || len(fraction) > 9 || strings.HasSuffix(text, ".") || !digits(whole) || !digits(fraction) {
		return 0, fmt.Errorf("%q: %w", text, ErrAmount)
	}
	dollars, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || dollars > math.MaxInt64/int64(Dollar)-1 {
		return 0, fmt.Errorf("%q is too large: %w", text, ErrAmount)
	}
	var nanos int64
	if fraction != "" {
		nanos, _ = strconv.ParseInt(fraction+"000000000"[len(fraction):], 10, 64)
	}
	return Nanos(dollars)*Dollar + Nanos(nanos), nil
}

func digits(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// String writes the amount as a decimal number of dollars, with as many
// decimals as it needs and at least two: "5.00", "0.0000375", "-1.50".
func (n Nanos) String() string {
	magnitude := uint64(n)
	sign := ""
	if n < 0 {
		magnitude, sign = -magnitude, "-"
	}
	var space [32]byte
	text := strconv.AppendUint(append(space[:0], sign...), magnitude/uint64(Dollar), 10)
	whole := len(text)
	// The one in front keeps the zeros, and makes room for the point.
	text = strconv.AppendUint(text, uint64(Dollar)+magnitude%uint64(Dollar), 10)
	text[whole] = '.'
	cut := len(text)
	for cut > whole+3 && text[cut-1] == '0' {
		cut--
	}
	return string(text[:cut])
}

// MarshalText writes what String writes, so that amounts are decimal strings in JSON.
func (n Nanos) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads what MarshalText writes, a minus sign included.
func (n *Nanos) UnmarshalText(text []byte) error {
	value, negative := strings.CutPrefix(string(text), "-")
	amount, err := ParseUSD(value)
	if err != nil {
		return err
	}
	if negative {
		amount = -amount
	}
	*n = amount
	return nil
}
