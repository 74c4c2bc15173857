package price

import "math/bits"

// wide is an unsigned 256-bit integer, least significant limb first. A sum of
// token prices needs 128 bits (sixteen counts below 2^63 times prices below
// 2^60); the factors that a request can stack (service tier, speed, region,
// price group: each below 2^30 over and under) need the rest, so nothing below
// can overflow.
type wide [4]uint64

// plusProduct adds a × b.
func (w wide) plusProduct(a, b uint64) wide {
	high, low := bits.Mul64(a, b)
	var carry uint64
	w[0], carry = bits.Add64(w[0], low, 0)
	w[1], carry = bits.Add64(w[1], high, carry)
	w[2], carry = bits.Add64(w[2], 0, carry)
	w[3] += carry
	return w
}

func (w wide) plus(v wide) wide {
	var carry uint64
	for i := range w {
		w[i], carry = bits.Add64(w[i], v[i], carry)
	}
	return w
}

// minus subtracts v; the difference is below zero if borrowed.
func (w wide) minus(v wide) (difference wide, borrowed bool) {
	var borrow uint64
	for i := range w {
		w[i], borrow = bits.Sub64(w[i], v[i], borrow)
	}
	return w, borrow != 0
}

func (w wide) times(factor uint64) wide {
	if factor == 1 {
		return w
	}
	var carry uint64
	for i := range w {
		high, low := bits.Mul64(w[i], factor)
		var c uint64
		w[i], c = bits.Add64(low, carry, 0)
		carry = high + c
	}
	return w
}

func (w wide) dividedBy(divisor uint64) (quotient wide, remainder uint64) {
	if divisor == 1 {
		return w, 0
	}
	for i := len(w) - 1; i >= 0; i-- {
		quotient[i], remainder = bits.Div64(remainder, w[i], divisor)
	}
	return quotient, remainder
}

// dividedUp is w / divisor, rounded up. Rounding up after each of several
// divisions gives what rounding up once after their product would.
func (w wide) dividedUp(divisor uint64) wide {
	quotient, remainder := w.dividedBy(divisor)
	if remainder != 0 {
		quotient = quotient.plusProduct(1, 1)
	}
	return quotient
}
