package auth

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// The parts of a voucher's code: prefix, random digits, checksum digits, written in
// groups: FG-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX.
const (
	voucherPrefix         = "FG"
	voucherRandomDigits   = 26 // 130 bits
	voucherChecksumDigits = 4  // 20 bits
	voucherDigits         = voucherRandomDigits + voucherChecksumDigits
	voucherGroup          = 5
)

// crockford has no letters that look like digits, and no U: https://www.crockford.com/base32.html
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// voucherTag separates these hashes from those of keys.
const voucherTag = "faregate voucher code v1\x00"

// ErrMalformedVoucher says that a text cannot be a voucher's code: it was cut or mistyped.
var ErrMalformedVoucher = errors.New("malformed voucher code: it is FG- followed by six groups of five letters and digits; check every character")

// NewVoucherCode makes the code of a voucher from 130 bits that it reads from random.
func NewVoucherCode(random io.Reader) (Secret, error) {
	bits := make([]byte, (5*voucherRandomDigits+7)/8)
	if _, err := io.ReadFull(random, bits); err != nil {
		return Secret{}, fmt.Errorf("make a voucher's code: %w", err)
	}
	number := new(big.Int).SetBytes(bits)
	digits := make([]byte, voucherRandomDigits)
	mask := big.NewInt(int64(len(crockford) - 1))
	for i := range digits {
		digits[i] = crockford[new(big.Int).And(number, mask).Int64()]
		number.Rsh(number, 5)
	}
	text := new(strings.Builder)
	text.WriteString(voucherPrefix)
	for i, digit := range append(digits, voucherChecksum(digits)...) {
		if i%voucherGroup == 0 {
			text.WriteByte('-')
		}
		text.WriteByte(digit)
	}
	whole := text.String()
	return Secret{&whole}, nil
}

// voucherChecksum is a guard against typing mistakes, and no defence.
func voucherChecksum(digits []byte) []byte {
	sum := crc32.ChecksumIEEE(digits)
	check := make([]byte, voucherChecksumDigits)
	for i := range check {
		check[i] = crockford[sum%uint32(len(crockford))]
		sum /= uint32(len(crockford))
	}
	return check
}

// HashVoucherCode checks the form of a voucher's code as somebody typed it and hashes
// it: case, spaces and hyphens do not matter, and the letters O, I and L stand for the
// digits that they look like. Its only error is ErrMalformedVoucher, which never quotes
// the text.
func HashVoucherCode(text string) (Hash, error) {
	digits := make([]byte, 0, len(voucherPrefix)+voucherDigits)
	for _, r := range strings.ToUpper(text) {
		switch r {
		case ' ', '-', '\t', '\r', '\n':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		if !strings.ContainsRune(crockford, r) || len(digits) == cap(digits) {
			return Hash{}, ErrMalformedVoucher
		}
		digits = append(digits, byte(r))
	}
	if len(digits) == cap(digits) && string(digits[:len(voucherPrefix)]) == voucherPrefix {
		digits = digits[len(voucherPrefix):]
	}
	if len(digits) != voucherDigits || string(digits[voucherRandomDigits:]) != string(voucherChecksum(digits[:voucherRandomDigits])) {
		return Hash{}, ErrMalformedVoucher
	}
	return blake2b.Sum256(append([]byte(voucherTag), digits...)), nil
}
