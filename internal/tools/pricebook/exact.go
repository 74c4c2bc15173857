package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

// exact reads a JSON number (2.5, 1.25e-06) as it is written.
func exact(number json.Number) (*big.Rat, error) {
	value, ok := new(big.Rat).SetString(number.String())
	if !ok || value.Sign() < 0 {
		return nil, fmt.Errorf("%q is not a price", number)
	}
	return value, nil
}

// decimalOf writes a rational exactly; it fails where that has no end.
func decimalOf(value *big.Rat) (string, error) {
	text := value.FloatString(12)
	if back, _ := new(big.Rat).SetString(text); back.Cmp(value) != 0 {
		return "", fmt.Errorf("%s has more than 12 decimals", value.RatString())
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), "."), nil
}

// product multiplies decimals exactly.
func product(a, b string) (string, error) {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return "", fmt.Errorf("%q × %q: not numbers", a, b)
	}
	return decimalOf(x.Mul(x, y))
}

// dividedBy is the JSON number divided by a whole number, as a decimal.
func dividedBy(number json.Number, divisor int64) (string, error) {
	value, err := exact(number)
	if err != nil {
		return "", err
	}
	return decimalOf(value.Quo(value, new(big.Rat).SetInt64(divisor)))
}

// unitPrice is a price for per pieces: of one where that is a decimal, else of
// all of them ("0.36/3600000").
func unitPrice(number json.Number, per int64) (string, error) {
	if each, err := dividedBy(number, per); err == nil {
		return each, nil
	}
	all, err := dividedBy(number, 1)
	return fmt.Sprintf("%s/%d", all, per), err
}
