package dialect

import "strings"

// maxModelName bounds a model's name, in bytes.
const maxModelName = 128

// ValidModelName tells whether a text can be a model's name: 1 to 128 letters,
// digits and . _ : @ / -, beginning with a letter or digit, without ".." and "//".
// Only such names are looked up, quoted in errors and put into addresses.
func ValidModelName(name string) bool {
	if name == "" || len(name) > maxModelName || !alphanumeric(name[0]) {
		return false
	}
	for _, c := range []byte(name) {
		if !alphanumeric(c) && strings.IndexByte("._:@/-", c) < 0 {
			return false
		}
	}
	return !strings.Contains(name, "..") && !strings.Contains(name, "//") && !strings.HasSuffix(name, "/")
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
