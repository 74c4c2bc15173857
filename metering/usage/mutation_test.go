package usage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// What a response may look like without meaning anything else: each says the same as
// what was recorded.

// streamMutations write an event stream in another way that its grammar allows.
var streamMutations = map[string]func(events []string) string{
	"CRLF":          func(events []string) string { return strings.ReplaceAll(strings.Join(events, ""), "\n", "\r\n") },
	"CR":            func(events []string) string { return strings.ReplaceAll(strings.Join(events, ""), "\n", "\r") },
	"byte mark":     func(events []string) string { return "\uFEFF" + strings.Join(events, "") },
	"comments":      func(events []string) string { return ": a\n\n" + strings.Join(events, ": keep-alive\n\n:\n") },
	"other fields":  func(events []string) string { return "retry: 9\nid: 1\n" + strings.Join(events, "id: 7\nunknown\n") },
	"no blank line": func(events []string) string { return strings.TrimRight(strings.Join(events, ""), "\n") },
	"no space": func(events []string) string {
		return strings.ReplaceAll(strings.Join(events, ""), "\ndata: ", "\ndata:")
	},
	"two lines of data": func(events []string) string {
		return strings.ReplaceAll(strings.Join(events, ""), "data: {", "data: {\ndata: ")
	},
	"blank lines": func(events []string) string { return "\n\n" + strings.Join(events, "\n") },
}

// documentMutations write a JSON document in another way that says the same.
var documentMutations = map[string]func(document jsonValue) string{
	"reversed":        func(v jsonValue) string { return v.reversed().String() },
	"unknown members": func(v jsonValue) string { return v.extended().String() },
	"spaces":          func(v jsonValue) string { return v.spaced(" \t ") },
	"escaped names":   func(v jsonValue) string { return v.escaped() },
}

// jsonValue is a JSON value with its members in order.
type jsonValue struct {
	raw      string
	names    []string // of an object's members
	children []jsonValue
	kind     jsontext.Kind
}

func decodeOrdered(d *jsontext.Decoder) (v jsonValue, err error) {
	v.kind = d.PeekKind()
	if v.kind != '{' && v.kind != '[' {
		raw, err := d.ReadValue()
		v.raw = string(raw)
		return v, err
	}
	if _, err = d.ReadToken(); err != nil {
		return v, err
	}
	for end := v.kind + 2; d.PeekKind() != end; { // '}' is '{' + 2, ']' is '[' + 2
		if v.kind == '{' {
			name, err := d.ReadToken()
			if err != nil {
				return v, err
			}
			v.names = append(v.names, name.String())
		}
		child, err := decodeOrdered(d)
		if err != nil {
			return v, err
		}
		v.children = append(v.children, child)
	}
	_, err = d.ReadToken()
	return v, err
}

func (v jsonValue) write(space string, name func(string) string) string {
	if v.kind != '{' && v.kind != '[' {
		return v.raw
	}
	var parts []string
	for i, child := range v.children {
		part := child.write(space, name)
		if v.kind == '{' {
			part = name(v.names[i]) + space + ":" + space + part
		}
		parts = append(parts, part)
	}
	return string(rune(v.kind)) + space + strings.Join(parts, space+","+space) + space + string(rune(v.kind+2))
}

func quoted(name string) string { return fmt.Sprintf("%q", name) }

func (v jsonValue) String() string             { return v.write("", quoted) }
func (v jsonValue) spaced(space string) string { return v.write(space, quoted) }
func (v jsonValue) escaped() string {
	return v.write("", func(name string) string {
		if name == "" {
			return `""`
		}
		return fmt.Sprintf(`"\u%04x%s"`, name[0], name[1:])
	})
}

// reversed has the members of all objects from the last to the first; lists stay.
func (v jsonValue) reversed() jsonValue {
	r := jsonValue{raw: v.raw, kind: v.kind}
	for i := range v.children {
		at := i
		if v.kind == '{' {
			at = len(v.children) - 1 - i
			r.names = append(r.names, v.names[at])
		}
		r.children = append(r.children, v.children[at].reversed())
	}
	return r
}

// extended has members at its top that nobody knows, around those that it had.
func (v jsonValue) extended() jsonValue {
	if v.kind == '[' {
		for i := range v.children {
			v.children[i] = v.children[i].extended()
		}
		return v
	}
	unknown := jsonValue{raw: `{"usage":{"prompt_tokens":99,"input_tokens":99},"usageMetadata":{"promptTokenCount":99},"list":[[{"a":"}]\""}]]}`}
	v.names = append(append([]string{"x_before"}, v.names...), "x_after")
	v.children = append(append([]jsonValue{unknown}, v.children...), unknown)
	return v
}

// mutatedDocument writes one document anew, or nil if it is none.
func mutatedDocument(document []byte, mutate func(jsonValue) string) (string, bool) {
	d := jsontext.NewDecoder(bytes.NewReader(document))
	if kind := d.PeekKind(); kind != '{' && kind != '[' {
		return "", false
	}
	v, err := decodeOrdered(d)
	if err != nil {
		return "", false
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return "", false
	}
	return mutate(v), true
}

// mutatedEvents writes the data of each event anew.
func mutatedEvents(events []string, mutate func(jsonValue) string) string {
	var b strings.Builder
	for _, event := range events {
		for line := range strings.SplitAfterSeq(event, "\n") {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				if mutated, ok := mutatedDocument([]byte(data), mutate); ok {
					line = "data: " + mutated + "\n"
				}
			}
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestRecordingsInOtherWords(t *testing.T) {
	mutated, compared := 0, 0
	for _, r := range recordings(t) {
		o := r.options()
		// What is large differs from the others by its media and their length alone.
		if o.Framing == Raw || r.malformed || len(r.response) > 40_000 {
			continue
		}
		_, _, want := run(o, r.response, whole)
		responses := make(map[string]string)
		if o.Framing == JSON {
			for name, mutate := range documentMutations {
				if text, ok := mutatedDocument(r.response, mutate); ok {
					responses[name] = text
				}
			}
			responses["byte mark"] = "\uFEFF" + string(r.response)
			responses["blank lines"] = "\r\n " + string(r.response) + "\n\n"
		} else {
			plain := strings.ReplaceAll(strings.ReplaceAll(string(r.response), "\r\n", "\n"), "\r", "\n")
			events := strings.SplitAfter(plain, "\n\n")
			for name, mutate := range documentMutations {
				responses[name] = mutatedEvents(events, mutate)
			}
			for name, mutate := range streamMutations {
				responses[name] = mutate(events)
			}
			if o.Format == OpenAIChat {
				responses["null usage"] = `data: {"id":"x","choices":[],"usage":null}` + "\n\n" + plain
			}
		}
		plainly := o
		plainly.Profile = ProfileStandard
		for name, response := range responses {
			mutated++
			// The originals say nothing that our own recordings do not.
			if readNaively(o.Format) && strings.HasPrefix(r.name, recordingRoots[0]) && naiveCompare(t, plainly, []byte(response)) {
				compared++
			}
			sizes := []func() int{whole}
			if len(response) < 4000 {
				sizes = append(sizes, func() int { return 13 })
			}
			for _, size := range sizes {
				_, _, got := run(o, []byte(response), size)
				if got.Usage != want.Usage || got.Reported != want.Reported || got.Failed != want.Failed || got.Model != want.Model || got.FinishReason != want.FinishReason ||
					got.Content != want.Content || fmt.Sprint(got.Passes) != fmt.Sprint(want.Passes) {
					t.Errorf("%s, %s:\ngot  %+v\nwant %+v", r.name, name, got, want)
					break
				}
			}
		}
	}
	if mutated < 1000 || compared < 500 {
		t.Errorf("only %d were written in other words, and %d read naively", mutated, compared)
	}
}
