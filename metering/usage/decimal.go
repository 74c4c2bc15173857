package usage

import "math"

// maxCount bounds every count, so that sums of a few cannot overflow.
const maxCount = math.MaxInt64 >> 8

// plus adds counts of which a response can have any number.
func plus(a, b int64) int64 { return min(a+b, maxCount) }

// count reads a number of tokens: not negative, fractions cut off, at most
// maxCount. What is no such number counts as nothing.
func count(text []byte) int64 { return decimal(text, 0) }

// decimal reads a number of JSON times 10^scale, as count does.
func decimal(text []byte, scale int) int64 {
	end, point, exponent := len(text), -1, 0
scan:
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
		case c == '.' && point < 0 && i > 0:
			point = i
		case (c == 'e' || c == 'E') && i > 0:
			var ok bool
			if exponent, ok = exponentOf(text[i+1:]); !ok {
				return 0
			}
			end = i
			break scan
		default:
			return 0
		}
	}
	// The number is cut off after so many of its digits.
	whole := end + exponent + scale
	if point >= 0 {
		whole = point + exponent + scale
	}
	var n int64
	for i := 0; whole > 0; i++ {
		if i == point {
			continue
		}
		n *= 10
		if i < end {
			n += int64(text[i] - '0')
		} else if n == 0 {
			return 0
		}
		if n > maxCount {
			return maxCount
		}
		whole--
	}
	return n
}

// exponentOf reads an exponent; what is beyond any number of interest is cut.
func exponentOf(text []byte) (n int, ok bool) {
	negative := false
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		negative = text[0] == '-'
		text = text[1:]
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int(c-'0'), 10_000)
	}
	if negative {
		n = -n
	}
	return n, len(text) > 0
}
