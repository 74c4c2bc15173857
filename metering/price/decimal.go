package price

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// ErrPrice says that a text is not a price.
var ErrPrice = errors.New("not a price in dollars (like 2.5 or 0.003625; no sign, no exponent, at most 12 decimals, below 1000000)")

// ErrFactor says that a text is not a multiplier.
var ErrFactor = errors.New("not a multiplier (like 0.5 or 1.25; no sign, no exponent, at most 6 decimals, below 1000)")

// decimal is digits / 10^places, with no trailing zero after the point.
type decimal struct {
	digits uint64
	places int
}

func parseDecimal(text string, maxWhole, maxPlaces int) (decimal, bool) {
	whole, fraction, point := strings.Cut(text, ".")
	if whole == "" || point && fraction == "" || len(whole) > maxWhole || len(whole) > 1 && whole[0] == '0' {
		return decimal{}, false
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > maxPlaces {
		return decimal{}, false
	}
	digits, err := strconv.ParseUint(whole+fraction, 10, 64)
	// ParseUint takes a sign or an underscore in no base-10 text.
	return decimal{digits, len(fraction)}, err == nil
}

// amount is a price: pico pico-dollars per quantity base units.
type amount struct{ pico, quantity uint64 }

// parseTokenPrice reads dollars per million tokens: 1 USD per million tokens is
// 1,000,000 pico-dollars per token.
func parseTokenPrice(text string) (amount, error) {
	value, ok := parseDecimal(text, 6, 12)
	if !ok {
		return amount{}, fmt.Errorf("%q: %w", text, ErrPrice)
	}
	return newAmount(value, 6, 1)
}

// parseUnitPrice reads dollars for one unit ("0.01") or for a number of units
// ("0.36/3600000": 0.36 dollars for 3,600,000 of them).
func parseUnitPrice(text string) (amount, error) {
	price, per, divided := strings.Cut(text, "/")
	quantity := uint64(1)
	if divided {
		var err error
		if quantity, err = strconv.ParseUint(per, 10, 32); err != nil || quantity == 0 {
			return amount{}, fmt.Errorf("%q: the quantity after the slash must be a whole number from 1 to 4294967295: %w", text, ErrPrice)
		}
	}
	value, ok := parseDecimal(price, 6, 12)
	if !ok {
		return amount{}, fmt.Errorf("%q: %w", text, ErrPrice)
	}
	return newAmount(value, 12, quantity)
}

// newAmount turns value × 10^shift pico-dollars per quantity into lowest terms.
func newAmount(value decimal, shift int, quantity uint64) (amount, error) {
	numerator, denominator := value.digits, quantity
	var overflow uint64
	for ; shift > value.places; shift-- {
		var high uint64
		high, numerator = bits.Mul64(numerator, 10)
		overflow |= high
	}
	for ; shift < value.places; shift++ {
		var high uint64
		high, denominator = bits.Mul64(denominator, 10)
		overflow |= high
	}
	if overflow != 0 {
		return amount{}, fmt.Errorf("a price with more digits than can be counted: %w", ErrPrice)
	}
	divisor := commonDivisor(numerator, denominator)
	return amount{numerator / divisor, denominator / divisor}, nil
}

func commonDivisor(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Factor is an exact multiplier. The zero value multiplies by one.
type Factor struct{ over, under uint64 } // under is zero only in the zero value

// ParseFactor reads a decimal multiplier: ParseFactor("1.20") is 6/5.
func ParseFactor(text string) (Factor, error) {
	value, ok := parseDecimal(text, 3, 6)
	if !ok {
		return Factor{}, fmt.Errorf("%q: %w", text, ErrFactor)
	}
	under := uint64(1)
	for range value.places {
		under *= 10
	}
	divisor := commonDivisor(value.digits, under)
	return Factor{value.digits / divisor, under / divisor}, nil
}

func (f Factor) parts() (over, under uint64) {
	if f.under == 0 {
		return 1, 1
	}
	return f.over, f.under
}
