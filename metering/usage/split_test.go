package usage

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

type sseEvent struct{ kind, data string }

// splitAll splits a stream in pieces of one size.
func splitAll(stream []byte, size int) []sseEvent {
	var s splitter
	var list []sseEvent
	var e sseEvent
	end := func() {
		if strings.Trim(e.data, "\n") != "" {
			list = append(list, e)
		}
		e = sseEvent{}
	}
	for piece := range slices.Chunk(stream, size) {
		for len(piece) > 0 {
			n, token, from, to := s.next(piece)
			if n < 1 || n > len(piece) || from > to || to > n {
				panic("impossible token")
			}
			text := string(piece[from:to])
			switch token {
			case tokenData:
				e.data += text
			case tokenJoin:
				e.data += "\n"
			case tokenType:
				if text == "" {
					e.kind = ""
				}
				e.kind += text
			case tokenEnd:
				end()
			}
			piece = piece[n:]
		}
	}
	end()
	return list
}

var lineEnds = regexp.MustCompile("\r\n|\n|\r")

// splitSimply is the grammar as the specification words it, on a whole stream.
func splitSimply(stream []byte) []sseEvent {
	text := strings.TrimPrefix(string(stream), "\xEF\xBB\xBF")
	var list []sseEvent
	var e sseEvent
	var data []string
	end := func() {
		if strings.Join(data, "") != "" {
			list = append(list, sseEvent{e.kind, strings.Join(data, "\n")})
		}
		e, data = sseEvent{}, nil
	}
	for _, line := range lineEnds.Split(text, -1) {
		if line == "" {
			end()
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "data":
			data = append(data, value)
		case "event":
			e.kind = value
		}
	}
	end()
	return list
}

// Events without a single byte of data are left out: a meter has no use for them.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata:b\r\r",
		"\xEF\xBB\xBFdata: a\n\n", "\xEF\xBB\xBF: c\n\ndata: a\n\n", ": comment\n\nevent: x\nevent: y\ndata: a\ndata: b\nid: 1\n\n",
		"data\ndata: \ndata:  x\n\nretry: 1\n\n", "dat: a\n\ndatax: b\n\ndata : c\n\n", "event: error\ndata: {}\n\n", "data: a\u2028b\n\n",
		"data: last without blank line", "\n\n\r\n\rdata: x\n\r\n", "event:\xEF\xBB\xBFdata\n\ndata: é\n\n", "\xEF\xBB\xBF\n\ndata:\xEF\xBB\xBF\n\n",
		"averylongfieldnamethatmatters: not\ndata: x\r\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		stream = append(bytes.Clone(stream), '\n')
		want := splitSimply(stream)
		for _, size := range []int{1, 2, 3, 7, len(stream)} {
			if got := splitAll(stream, size); !slices.Equal(got, want) {
				t.Fatalf("pieces of %d of %q: %q, want %q", size, stream, got, want)
			}
		}
	})
}
