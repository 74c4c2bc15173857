package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// neutralBody returns the body of a recording without its free texts. Every byte
// that is not inside a string stays what and where it is.
func neutralBody(c *recorded) ([]byte, error) {
	body := bytes.Clone(c.body)
	opaque := opaqueContainers
	if c.Dialect == "openai_responses" {
		opaque = opaqueResponseContainers
	}
	switch {
	case c.raw():
		fillAll(body)
		return body, nil
	case !c.eventStream():
		return body, neutralDocument(body, opaque)
	}
	for rest := body; len(rest) > 0; {
		end := bytes.IndexAny(rest, "\r\n")
		line := rest
		if end >= 0 {
			line, rest = rest[:end], rest[end+1:]
		} else {
			rest = nil
		}
		if err := neutralLine(line, opaque); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// neutralLine rewrites a line of an event stream in place.
func neutralLine(line []byte, opaque map[string]bool) error {
	data, isData := bytes.CutPrefix(line, []byte("data:"))
	switch {
	case len(line) == 0 || keptLine(line):
		return nil
	case isData:
		return neutralDocument(bytes.TrimLeft(data, " "), opaque)
	}
	return fmt.Errorf("unknown line of %d bytes", len(line))
}

// keptLine tells whether a line is of the framing alone.
func keptLine(line []byte) bool {
	kind, isType := bytes.CutPrefix(line, []byte("event: "))
	return keptLines[string(line)] || isType && keptValues["type"][string(kind)]
}

// fillAll overwrites a body that has no structure but its lines.
func fillAll(body []byte) {
	for i, c := range body {
		if c != '\n' && c != '\r' {
			body[i] = 'x'
		}
	}
}

// place is a container that a document's walk is inside of.
type place struct {
	array  bool
	key    string // of the member being read
	isKey  bool   // a member's name is next
	opaque bool   // names and values are the user's own
	vector bool   // numbers are so, too
}

// neutralDocument rewrites a JSON document in place. What is in containers of the
// opaque names is overwritten, names included.
func neutralDocument(document []byte, opaqueNames map[string]bool) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(document), jsontext.AllowDuplicateNames(true))
	var places []place
	for before := int64(0); ; {
		token, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("not a JSON document")
		}
		after := decoder.InputOffset()
		kind := token.Kind()
		if kind == '}' || kind == ']' {
			places = places[:len(places)-1]
			before = after
			continue
		}
		key, opaque, vector, isKey := "", false, false, false
		if len(places) > 0 {
			top := &places[len(places)-1]
			isKey = !top.array && top.isKey
			top.isKey = !isKey
			key, opaque, vector = top.key, top.opaque, top.vector || numberContainers[top.key]
		}
		switch kind {
		case '"':
			raw := document[before:after]
			raw = raw[bytes.IndexByte(raw, '"')+1 : len(raw)-1]
			text := token.String()
			if isKey {
				places[len(places)-1].key = text
				if opaque || !keptNames[text] {
					opaqueName(raw)
				}
			} else if opaque {
				fill(raw)
			} else {
				neutralValue(key, text, raw)
			}
		case '{', '[':
			// Elements of an array stand under the array's name.
			places = append(places, place{array: kind == '[', key: key, isKey: true, opaque: opaque || opaqueNames[key], vector: vector})
		case '0':
			if vector {
				fillNumber(document[before:after])
			}
		}
		before = after
	}
}

// neutralValue rewrites a string value in place, unless it is structure.
func neutralValue(key, text string, raw []byte) {
	switch {
	case keptValues[key][text]:
	case timeKeys[key] && timeOrDuration.MatchString(text):
	case modelKeys[key] && modelName.MatchString(text):
	case identifierKeys[key]:
		opaqueName(raw)
	default:
		fill(raw)
	}
}

// fill overwrites the inside of an encoded string. Escapes stay escapes and
// characters keep their encoded length, as both matter to a parser.
func fill(raw []byte) {
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '\\' && raw[i+1] == 'u':
			unit := "0078" // x
			switch raw[i+2] {
			case 'd', 'D':
				switch raw[i+3] {
				case '8', '9', 'a', 'b', 'A', 'B':
					unit = "d83d"
				case 'c', 'd', 'e', 'f', 'C', 'D', 'E', 'F':
					unit = "de00"
				}
			}
			copy(raw[i+2:], unit)
			i += 6
		case c == '\\':
			i += 2
		case c < 0x80:
			raw[i] = 'x'
			i++
		case c < 0xE0:
			i += copy(raw[i:], "é")
		case c < 0xF0:
			i += copy(raw[i:], "€")
		default:
			i += copy(raw[i:], "😀")
		}
	}
}

// fillNumber overwrites the digits of a number. A leading zero is its form. What
// may stand before it is no digit.
func fillNumber(raw []byte) {
	first := true
	for i, c := range raw {
		if c < '0' || c > '9' {
			continue
		}
		if !first || c != '0' {
			raw[i] = '1'
		}
		first = false
	}
}

// opaqueName overwrites an identifier with letters from its hash, so that equal
// ones stay equal and different ones stay different.
func opaqueName(raw []byte) {
	sum := sha256.Sum256(raw)
	for i := range raw {
		nibble := sum[i/2%len(sum)] >> (i % 2 * 4) & 15
		raw[i] = 'a' + nibble
	}
}
